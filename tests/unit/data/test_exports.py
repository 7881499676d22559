"""What goes out comes back: every format, every kind of file, whatever the texts hold."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data import build_source
from pellucid.data.exports import export
from pellucid.data.llava import parse_row, write_row
from pellucid.data.sources import FORMATS
from pellucid.schema.record import Answer, Part, Record, Source, Turn, make_record
from pellucid.store import Store, Writer

CASES = [(kind, ending) for kind, format_ in FORMATS.items() for ending in format_.endings]
cases = pytest.mark.parametrize(("kind", "ending"), CASES)

ODD = (
    "How many?", "<image>", "a <image>\nb", "<think>", "</think> x", " spaced ", "\n", "ü <b>", "7",
)  # fmt: skip
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
TEXT = st.sampled_from(ODD) | st.text(LETTERS, min_size=1)


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 7), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


PICTURES = [png(shade) for shade in range(3)]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[tuple[Turn, ...], int]:
    """Turns, and how many pictures they show; each at least once, one perhaps twice."""
    images = draw(st.integers(0, 3))
    pairs = draw(st.integers(1, 3))
    places = sorted(draw(st.lists(st.integers(0, pairs - 1), min_size=images, max_size=images)))
    order = draw(st.permutations(range(images)))
    turns = [Turn("system", (Part("text", draw(TEXT)),))] if draw(st.booleans()) else []
    for pair in range(pairs):
        parts = [Part("text", draw(TEXT))]
        for at, place in enumerate(places):
            if place == pair:
                parts.insert(draw(st.integers(0, len(parts))), Part("image", image=order[at]))
        if images and pair == pairs - 1 and draw(st.booleans()):
            parts.append(Part("image", image=0))
        turns.append(Turn("user", tuple(parts)))
        turns.append(draw(replies()))
    return tuple(turns), images


@st.composite
def replies(draw: st.DrawFn) -> Turn:
    reasoning = draw(st.none() | TEXT)
    modes = ["think", "nothink", "auto"] if reasoning else ["nothink", "auto"]
    weight = draw(st.none() | st.sampled_from([0.0, 0.5, 1.0]))
    content = (Part("text", draw(TEXT)),)
    return Turn("assistant", content, draw(st.sampled_from(modes)), reasoning, weight)


ANSWERS = st.none() | st.sampled_from(
    [
        Answer("number", "12.50", (), 0.01),
        Answer("choice", "B", ("two", "II")),
        Answer("text", "a <image>"),
        Answer("expression", r"\frac{1}{2}"),
        Answer("box", "[0.1000, 0.2000, 0.3000, 0.4000]", (), 0.5),
        Answer("boxes", "[[0.1000, 0.2000, 0.3000, 0.4000]]"),
        Answer("point", "[0.1000, 0.2000, 0.3000, 0.4000]"),
        Answer("json", '{"a":  1}'),
        Answer("action", '{"click": [0.5, 0.5]}'),
    ]
)


@st.composite
def records(draw: st.DrawFn) -> list[Any]:
    """What `filled` makes records of."""
    return draw(
        st.lists(
            st.tuples(
                conversations(),
                ANSWERS,
                st.none() | st.sampled_from([0.25, 3.0]),
                st.sampled_from([{}, {"a": [1, {"b": None}]}, {"bars": "<image>"}]),
            ),
            min_size=1,
            max_size=4,
        )
    )


def filled(folder: Path, given: Sequence[Any]) -> Store:
    writer, made = Writer(folder), []
    for row, ((turns, images), answer, difficulty, evidence) in enumerate(given):
        shown = tuple(writer.image(PICTURES[(row + at) % 3]) for at in range(images))
        made.append(
            make_record(
                messages=turns,
                images=shown,
                answer=answer,
                task=f"task {row % 2}",
                domain="drawn",
                source=Source("set", ("train", "test")[row % 2], row, "CC0-1.0", group="group:g"),
                evidence=evidence,
                difficulty=difficulty,
            )  # fmt: skip
        )
    writer.shard("a", made)
    writer.finish()
    return store.open(folder)


def said(record: Record) -> tuple[Any, ...]:
    """All of a record but its own row number and lineage."""
    source = record.source
    return (
        record.content_hash, record.messages, record.images, record.answer, record.task,
        record.domain, dict(record.evidence), record.difficulty, source.split, source.licence,
        source.group,
    )  # fmt: skip


def back(kind: str, path: Path, folder: Path) -> Store:
    options: Any = FORMATS[kind].options  # each has its own kind
    options = options(path=str(path), dataset="set", licence="CC0-1.0")
    build_source("back", options, 0, folder)
    return store.open(folder)


@cases
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given=records())
def test_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, kind: str, ending: str, given: Any
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    first = filled(folder / "first", given)
    count, there = export(first, kind, folder / f"out{ending}")
    assert not there
    second = back(kind, folder / f"out{ending}", folder / "second")
    assert count == len(first) == len(second)
    assert [said(one) for one in second.stream()] == [said(one) for one in first.stream()]
    images = {image.sha256 for one in first.stream() for image in one.images}
    assert all(second.image(sha256) == first.image(sha256) for sha256 in images)
    export(second, kind, folder / f"again{ending}")
    third = back(kind, folder / f"again{ending}", folder / "third")
    assert [one.id for one in third.stream()] == [one.id for one in second.stream()]


def _talks(count: int) -> list[Any]:
    """Records with a picture each, of two pictures in turn."""
    said = Turn("assistant", (Part("text", "b"),), "nothink")
    parts = Part("image", image=0)
    return [
        (((Turn("user", (parts, Part("text", f"What is {at}?"))), said), 1), None, None, {})
        for at in range(count)
    ]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@cases
def test_a_second_call_knows_its_own_output_and_nothing_else(
    kind: str, ending: str, tmp_path: Path
) -> None:
    opened, out = filled(tmp_path / "a", _talks(7)), tmp_path / "o" / f"out{ending}"
    assert export(opened, kind, out) == (7, False)
    whole, before = out.read_bytes(), _bytes(out.parent)
    assert export(opened, kind, out) == (7, True)
    assert _bytes(out.parent) == before, "nothing was written, and nothing is left"
    more = filled(tmp_path / "b", _talks(8))
    for others, there in (
        (more, whole),
        (opened, whole[:-1]),
        (opened, whole + b"\n"),
        (opened, b""),
        (opened, whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]),
    ):
        out.write_bytes(there)
        with pytest.raises(UserError, match="exists and is not what would be written"):
            export(others, kind, out)
        assert out.read_bytes() == there and set(_bytes(out.parent)) == set(before)


def test_a_file_whose_pictures_are_not_there_is_not_the_same(tmp_path: Path) -> None:
    opened, out = filled(tmp_path / "a", _talks(2)), tmp_path / "out.jsonl"
    export(opened, "llava_json", out)
    (picture, *_) = (tmp_path / "images").iterdir()
    for spoil in (lambda: picture.write_bytes(b"other"), picture.unlink):
        spoil()
        with pytest.raises(UserError, match="exists and is not what would be written"):
            export(opened, "llava_json", out)
    assert not picture.exists()


def test_a_long_file_of_someone_else_is_known_by_its_beginning(tmp_path: Path) -> None:
    """What comes later is not even looked at: here a picture that cannot be read."""
    said = Turn("assistant", (Part("text", "b"),), "nothink")
    plain = (((Turn("user", (Part("text", "What is this? " * 9),)), said), 0), None, None, {})
    opened = filled(tmp_path / "a", [plain] * 1200 + _talks(1))
    for pack in (tmp_path / "a" / "images").glob("*.tar"):
        pack.write_bytes(b"")
    with pytest.raises(Exception, match="image"):
        export(opened, "llava_json", tmp_path / "new.jsonl")
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(UserError, match="exists"):
        export(opened, "llava_json", tmp_path / "out.jsonl")


@settings(max_examples=200, deadline=None)
@given(given=conversations())
def test_a_row_reads_as_its_record(given: tuple[tuple[Turn, ...], int]) -> None:
    turns, images = given
    record = make_record(
        messages=turns,
        images=tuple(_ref(at) for at in range(images)),
        answer=None,
        task="t",
        domain="d",
        source=Source("s", "train", 0, "CC0-1.0"),
    )
    row = write_row(record, [f"{at}.png" for at in range(images)])
    assert parse_row(json.loads(json.dumps(row))).messages == turns


def _ref(at: int) -> Any:
    from pellucid.schema.record import ImageRef

    return ImageRef(f"{at:064x}", 9, 7)


def test_what_tags_can_say_is_written_as_everyone_does(tmp_path: Path) -> None:
    turns = (
        Turn("user", (Part("image", image=0), Part("text", "How many?"))),
        Turn("assistant", (Part("text", "2"),), "think", "1 + 1 = 2."),
    )
    opened = filled(tmp_path / "store", [((turns, 1), None, None, {})])
    export(opened, "llava_json", tmp_path / "out.json")
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert row["conversations"] == [
        {"from": "human", "value": "<image>\nHow many?"},
        {"from": "gpt", "value": "<think>1 + 1 = 2.</think>2"},
    ]
    assert (tmp_path / row["image"]).read_bytes() == PICTURES[0]
    export(opened, "openai", tmp_path / "out.jsonl")
    chat = json.loads((tmp_path / "out.jsonl").read_text())["messages"]
    assert chat[1] == {"role": "assistant", "content": "2", "reasoning_content": "1 + 1 = 2."}
    assert chat[0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("llava", "a.json", "did you mean 'llava_json'"),
        ("verl", "a.json", r"is no file for verl rows; give the file the ending .parquet"),
        (
            "llava_json",
            "there.json",
            "exists and is not what would be written; choose another name",
        ),
    ],
)
def test_what_cannot_be_written_is_one_clear_error(
    tmp_path: Path, kind: str, name: str, says: str
) -> None:
    turns = (Turn("user", (Part("text", "a"),)), Turn("assistant", (Part("text", "b"),), "nothink"))
    opened = filled(tmp_path / "store", [((turns, 0), None, None, {})])
    (tmp_path / "there.json").write_text("kept")
    with pytest.raises(UserError, match=says):
        export(opened, kind, tmp_path / name)
    with pytest.raises(UserError, match="holds no record"):
        export(opened, "llava_json", tmp_path / "none.json", "validation")
    assert (tmp_path / "there.json").read_text() == "kept"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["store", "there.json"]
