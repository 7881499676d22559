"""Records survive the way to Parquet and back, whatever they hold."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.schema.record import (
    Answer,
    ImageRef,
    LineageStep,
    Part,
    Record,
    Source,
    Turn,
    make_record,
)
from pellucid.store import arrow

texts = st.text(max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
answers = st.builds(
    Answer,
    st.sampled_from(["choice", "number", "text", "box", "json"]),
    texts,
    st.lists(texts, max_size=3).map(tuple),
    st.none() | numbers,
)
steps = st.builds(
    LineageStep,
    texts,
    st.integers(0, 9),
    texts,
    st.lists(texts, max_size=2).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
)
sources = st.builds(
    Source,
    dataset=texts,
    split=st.sampled_from(["train", "validation", "test"]),
    row=st.integers(0, 2**62),
    licence=texts,
    config=texts,
    revision=texts,
    group=texts,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    count = draw(st.integers(0, 3))
    images = tuple(ImageRef(f"{n:064x}", n + 1, 10 - n) for n in range(count))
    shown = tuple(Part("image", image=n) for n in range(count))
    turns = []
    for n in range(draw(st.integers(1, 3))):
        content = (*(shown if n == 0 else ()), Part("text", draw(texts)))
        turns.append(Turn("user", content))
        reasoning = draw(st.none() | texts)
        turns.append(
            Turn(
                "assistant",
                draw(st.sampled_from([(), (Part("text", draw(texts)),)])),
                "think" if reasoning else draw(st.sampled_from([None, "nothink"])),
                reasoning,
                draw(st.none() | numbers),
            )
        )
    return make_record(
        messages=tuple(turns),
        images=images,
        answer=draw(st.none() | answers),
        task=draw(texts),
        domain=draw(texts),
        source=draw(sources),
        evidence=draw(st.dictionaries(texts, json_values, max_size=3)),
        difficulty=draw(st.none() | numbers),
        lineage=tuple(draw(st.lists(steps, max_size=2))),
        raw=draw(st.binary(max_size=20)),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(records(), max_size=4))
def test_what_is_written_is_read(rows: list[Record]) -> None:
    with TemporaryDirectory() as folder:
        first, second = Path(folder, "a.parquet"), Path(folder, "b.parquet")
        arrow.write_table(first, arrow.to_table(rows))
        arrow.write_table(second, arrow.to_table(rows))
        assert arrow.from_table(arrow.read_table(first)) == rows
        assert first.read_bytes() == second.read_bytes()


def test_columns_do_not_depend_on_the_rows() -> None:
    assert arrow.to_table([]).schema == arrow.RECORDS


def test_evidence_that_is_not_json_is_refused(record) -> None:
    with pytest.raises(ValueError, match="JSON"):
        arrow.to_table([record(1, evidence={"x": float("nan")})])


def test_a_file_that_is_read_in_pieces_is_never_in_memory_whole(tmp_path: Path) -> None:
    schema = pa.schema([("data", pa.binary())])
    tables = [pa.table({"data": [os.urandom(8192) for _ in range(512)]}, schema=schema)] * 8
    arrow.write_tables(tmp_path / "x", tables, schema, 512)
    size = (tmp_path / "x").stat().st_size
    del tables
    before, most = pa.total_allocated_bytes(), 0
    for _ in arrow.batches(tmp_path / "x", 64):
        most = max(most, pa.total_allocated_bytes() - before)
    assert size > 30e6
    assert most < size / 2, "of eight row groups some two"
