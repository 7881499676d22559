"""The image index read once: what it says is what the Parquet files say, and nothing is reread."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pellucid.schema.record import Record
from pellucid.store import Writer, layout, spill
from pellucid.store.images import Location
from pellucid.store.shards import ImageIndex


def write(folder: Path, pictures: list[bytes], record: Callable[..., Record]) -> Path:
    writer = Writer(folder)
    for at in range(0, len(pictures), 3):
        refs = tuple(writer.image(data) for data in pictures[at : at + 3])
        writer.shard(f"s-{at}", [record(at, refs)])
    writer.finish()
    return folder


@pytest.mark.parametrize("held", [1 << 20, 40])
def test_images_are_looked_up_in_the_first_store_that_has_them(
    tmp_path: Path,
    png: Callable[..., bytes],
    record: Callable[..., Record],
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spill, "_HELD_BYTES", held)
    monkeypatch.setattr(spill, "_BUFFER_ROWS", 7)
    one = write(tmp_path / "one", [png(red) for red in range(11)], record)
    two = write(tmp_path / "two", [png(red) for red in range(9, 20)], record)
    images = ImageIndex([one, two])
    expected = {}
    for folder in (two, one):  # what the first has counts, so it is told last
        for row in pq.read_table(folder / layout.INDEX).to_pylist():
            expected[row["sha256"]] = (folder, row)
        (folder / layout.INDEX).unlink()
    assert len(expected) == 20
    for sha256, (folder, row) in expected.items():
        found = images.get(sha256)
        assert found is not None
        pack = folder / "images" / row["pack"]
        assert found.place == Location(pack, row["offset"], row["length"])
        names = ("sha256", "width", "height", "pixel_sha256", "phash256")
        assert [getattr(found.facts, name) for name in names] == [row[name] for name in names]
        assert found.facts.extension == "png"
    assert images.get("0" * 64) is None and images.get("no hash") is None
