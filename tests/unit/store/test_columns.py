"""What is put together by hand for speed is what the general way gives, to the byte."""

import tarfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from pellucid.base.hashing import canonical_json, hash_json
from pellucid.schema.record import (
    Answer,
    ImageRef,
    LineageStep,
    Part,
    Record,
    Source,
    Turn,
    hash_content,
    record_id,
)
from pellucid.store import arrow
from pellucid.store.images import fill_pack
from pellucid.store.pixels import perceptual_hash

texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)
maybe = some.none() | texts
numbers = some.none() | some.floats(0, 1e20) | some.just(0.0)
parts = some.builds(
    Part, some.sampled_from(["text", "image"]), maybe, some.none() | some.integers(0, 9)
)
roles = some.sampled_from(["user", "assistant", "system"])
turns = some.builds(
    Turn, roles, some.lists(parts, max_size=3).map(tuple),
    some.sampled_from([None, "think"]), maybe, numbers,
)  # fmt: skip
answers = some.builds(
    Answer, some.just("text"), texts, some.lists(texts, max_size=2).map(tuple), numbers
)
steps = some.builds(
    LineageStep, texts, some.integers(0, 9), texts, some.just(("a",)), some.just(())
)
sources = some.builds(Source, texts, some.just("train"), some.integers(0, 2**40), texts)
records = some.builds(
    Record, texts, texts, some.lists(turns, max_size=3).map(tuple),
    some.lists(some.builds(ImageRef, texts, some.just(3), some.just(4)), max_size=2).map(tuple),
    some.none() | answers, texts, texts, sources,
    some.dictionaries(texts, some.integers() | texts, max_size=2), numbers,
    some.lists(steps, max_size=2).map(tuple), some.binary(max_size=5),
)  # fmt: skip


@given(some.lists(records, max_size=4))
def test_columns_are_those_of_the_rows(given: list[Record]) -> None:
    rows = [
        {**asdict(one), "evidence": canonical_json(dict(one.evidence)).decode()} for one in given
    ]
    expected = pa.Table.from_pylist(rows, schema=arrow.RECORDS)
    table = arrow.to_table(given)
    assert table.equals(expected) and arrow.encoded(table) == arrow.encoded(expected)


@given(records)
def test_hashes_are_those_of_canonical_json(one: Record) -> None:
    whole = {
        "messages": [asdict(turn) for turn in one.messages],
        "images": [image.sha256 for image in one.images],
        "answer": asdict(one.answer) if one.answer else None,
    }
    assert hash_content(one.messages, one.images, one.answer) == hash_json(whole)
    key = (one.source.dataset, one.domain, "train", one.source.row, one.task, "ab")
    assert record_id(*key) == hash_json(list(key))[:32]


@given(some.lists(some.binary(max_size=1500), max_size=12))
def test_a_pack_is_the_tar_that_tarfile_writes(data: list[bytes]) -> None:
    named = [(f"{at:064x}.png", one) for at, one in enumerate(data)]
    expected = BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.USTAR_FORMAT) as pack:
        for name, one in named:
            header = tarfile.TarInfo(name)
            header.size = len(one)
            pack.addfile(header, BytesIO(one))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pack.tar"
        fill_pack(path, named)
        assert path.read_bytes() == expected.getvalue()


@given(some.integers(0, 2**32), some.sampled_from([2, 5, 256]), some.integers(1, 90))
def test_perceptual_hashes_are_those_of_whole_numbers(seed: int, shades: int, side: int) -> None:
    draw = np.random.default_rng(seed)
    step = 255 // (shades - 1)
    picture = Image.fromarray((draw.integers(0, shades, (side, 70, 3)) * step).astype(np.uint8))
    grey = picture.convert("L").resize((64, 64), Image.Resampling.BOX)
    angles = np.pi * np.outer(np.arange(16), 2 * np.arange(64) + 1) / 128
    cosines = np.round(16384 * np.cos(angles)).astype(np.int64)
    low = cosines @ np.asarray(grey, np.int64) @ cosines.T
    bits = low.ravel() > np.median(low)
    assert perceptual_hash(picture) == np.packbits(bits).tobytes().hex()
