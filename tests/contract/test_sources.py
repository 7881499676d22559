"""Every kind of source keeps the promises of the table.

Same input, same bytes; records that keep the rules; a licence and lineage on each; rows in = rows
kept + rows left out with a reason; hashes for all that is read. A new kind needs a row in `MAKERS`.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data import build_source, input_hashes, overlaps, source_version
from pellucid.data.sources import SOURCES
from pellucid.recipe.data import LlavaJsonSource, ScenesSource, ShapesScene, SourceOptions
from pellucid.schema.record import faults


def scenes(folder: Path) -> tuple[SourceOptions, int]:
    return ScenesSource(scene=ShapesScene(), scenes=3, seed=40, licence="CC0-1.0"), 34


def llava(folder: Path) -> tuple[SourceOptions, int]:
    """Five rows, two of them faulty."""
    for shade in (1, 2):
        Image.new("RGB", (9, 7), (shade, 0, 0)).save(folder / f"{shade}.png")
    pairs = [("a", "1.png"), ("b", ["2.png", "1.png"]), ("c", None), ("<image>", None), ("e", "no")]
    rows = [
        {
            "id": f"r{question}",
            "image": image,
            "conversations": [
                {"from": "human", "value": question},
                {"from": "gpt", "value": "<think>a step</think>2"},
            ],
            "answer": {"kind": "number", "gold": "2"},
        }
        for question, image in pairs
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    return LlavaJsonSource(
        path=str(folder / "rows.json"), dataset="mine", licence="MIT", on_fault="drop"
    ), 5


MAKERS: dict[str, Callable[[Path], tuple[SourceOptions, int]]] = {
    "scenes": scenes,
    "llava_json": llava,
}

kinds = pytest.mark.parametrize("kind", sorted(SOURCES))


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_kind_is_tested() -> None:
    assert set(MAKERS) == set(SOURCES)


@kinds
def test_same_input_same_bytes_wherever_it_lies(tmp_path: Path, kind: str) -> None:
    trees = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        options, _ = MAKERS[kind](tmp_path / name)
        build_source("s", options, 5, tmp_path / name / "out")
        trees.append(tree(tmp_path / name / "out"))
    assert trees[0] == trees[1]


@kinds
def test_records_are_sound_and_rows_add_up(tmp_path: Path, kind: str) -> None:
    options, rows = MAKERS[kind](tmp_path)
    build_source("s", options, 5, tmp_path / "out")
    opened = store.open(tmp_path / "out")
    assert opened.verify() == [] and overlaps([opened]) == []
    for record in opened.records():
        assert faults(record.messages, record.images) == []
        assert record.source.licence in ("CC0-1.0", "MIT") and record.source.group
        assert record.lineage[0].op and len(record.lineage[0].params_hash) == 64
        assert record.task and record.domain
    ledger = opened.ledger().to_pylist()
    assert len(ledger) == rows
    dropped = [row for row in ledger if row["decision"] == "dropped"]
    assert len(opened) + len(dropped) == rows
    assert all(row["reason"] for row in dropped)
    groups: dict[str, set[str]] = {}
    for record in opened.records():
        groups.setdefault(record.source.group, set()).add(record.source.split)
    assert all(len(splits) == 1 for splits in groups.values())


@kinds
def test_hashes_cover_what_is_read(tmp_path: Path, kind: str) -> None:
    options, _ = MAKERS[kind](tmp_path)
    files = {path.name: tree(tmp_path)[path.name] for path in tmp_path.iterdir()}
    assert dict(input_hashes(options)) == files
    assert source_version(options) >= 1


def test_an_unusable_folder_is_one_clear_error(tmp_path: Path) -> None:
    options, _ = llava(tmp_path)
    (tmp_path / "rows.json").unlink()
    with pytest.raises(UserError, match="rows.json.* does not exist"):
        build_source("s", options, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()
