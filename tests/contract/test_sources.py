"""Every kind of source keeps the promises of the table.

Same input, same bytes; records that keep the rules; a licence and lineage on each; rows in = rows
kept + rows left out with a reason; hashes for all that is read. A new kind needs a row in `MAKERS`.
"""

import base64
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data import build_source, input_hashes, overlaps, source_version
from pellucid.data.sources import FORMATS, SOURCES
from pellucid.recipe.data import ScenesSource, ShapesScene, SourceOptions, StoreSource
from pellucid.recipe.rows import LlavaJsonSource, PythonSource
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


CODE = """
import csv

def rows(inputs, image):
    for row in csv.DictReader(inputs[0].read_text(encoding="utf-8").splitlines()):
        turns = [{"from": "human", "value": row["asked"]}, {"from": "gpt", "value": row["said"]}]
        yield {"id": row["asked"], "image": image if row["seen"] else None, "conversations": turns}
"""


def python(folder: Path) -> tuple[SourceOptions, int]:
    """A table of four rows, one of them faulty, read by a function of the user's."""
    Image.new("RGB", (9, 7), (1, 0, 0)).save(folder / "1.png")
    table = "asked,said,seen\na,1,yes\nb,2,\nc,,yes\nd,4,yes\n"
    (folder / "table.csv").write_text(table, encoding="utf-8")
    (folder / "mine.py").write_text(CODE, encoding="utf-8")
    return PythonSource(
        path=f"{folder / 'mine.py'}:rows",
        inputs=(str(folder / "table.csv"),),
        options={"image": "1.png"},
        dataset="mine",
        licence="MIT",
        on_fault="drop",
    ), 4


ASKED = "Is <image> a tag?"
"""A text of the user's that looks like a tag, in formats that have no tags."""


def chat(asked: object, said: str = "2", **fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"messages": messages, **fields}


def lines(folder: Path, rows: list[object], kind: str) -> tuple[SourceOptions, int]:
    """Rows as JSON lines beside the pictures that they name."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for shade in (1, 2):
        if f'"{shade}.png"' in text:
            Image.new("RGB", (9, 7), (shade, 0, 0)).save(folder / f"{shade}.png")
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    told = {"path": str(folder / "rows.jsonl"), "dataset": "mine", "licence": "MIT"}
    return FORMATS[kind].options(**told, on_fault="drop"), len(rows)


def sharegpt(folder: Path) -> tuple[SourceOptions, int]:
    turns = [{"from": "user", "value": "How many?"}, {"from": "chatgpt", "value": "2"}]
    rows: list[object] = [
        {"conversations": turns, "images": ["1.png"], "system": "Be brief."},
        {"conversations": turns, "images": ["no.png"]},
        {"conversations": [{**turns[0], "from": "tool"}, turns[1]]},
        {"conversations": turns},
    ]
    return lines(folder, rows, "sharegpt")


def openai(folder: Path) -> tuple[SourceOptions, int]:
    Image.new("RGB", (9, 7), (3, 0, 0)).save(folder / "x.png")
    address = "data:image/png;base64," + base64.b64encode((folder / "x.png").read_bytes()).decode()
    (folder / "x.png").unlink()

    def shown(url: str) -> list[object]:
        return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]

    rows: list[object] = [
        chat(shown(address)),
        chat(shown("1.png")),
        chat(ASKED),
        chat(shown("https://example.org/1.png")),
        chat(shown("data:image/png;base64,!!")),
        chat("a", "<think>b"),
    ]
    return lines(folder, rows, "openai")


def trl(folder: Path) -> tuple[SourceOptions, int]:
    parts = [{"type": "image"}, {"type": "text", "text": "How many?"}]
    rows: list[object] = [
        chat(parts, images=["1.png"]),
        chat("<image> and <image>", images=["1.png", "2.png"]),
        chat(ASKED),
        chat("first", images=["2.png"]),
        chat(parts, images=[]),
        7,
    ]
    return lines(folder, rows, "trl")


def cauldron(folder: Path) -> tuple[SourceOptions, int]:
    """In a Parquet file, pictures in it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    Image.new("RGB", (9, 7), (1, 0, 0)).save(folder / "1.png")
    picture = {"bytes": (folder / "1.png").read_bytes(), "path": "1.png"}
    (folder / "1.png").unlink()
    pair = {"user": "How many?", "assistant": "2", "source": "made"}
    rows = [
        {"images": [picture], "texts": [pair, {**pair, "user": ASKED}]},
        {"images": [], "texts": [pair]},
        {"images": [picture], "texts": []},
        {"images": [{"bytes": b"no picture", "path": None}], "texts": [pair]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    told = {"path": str(folder / "rows.parquet"), "dataset": "mine", "licence": "MIT"}
    return FORMATS["cauldron"].options(**told, on_fault="drop"), 4


def verl(folder: Path) -> tuple[SourceOptions, int]:
    def row(gold: object, asked: str, **fields: object) -> dict[str, object]:
        prompt = [{"role": "user", "content": asked}]
        return {"prompt": prompt, "reward_model": {"ground_truth": gold}, **fields}

    rows: list[object] = [
        row("7", "<image>How many?", images=["1.png"], extra_info={"split": "test", "index": 3}),
        row("\\frac{1}{2}", "Half?"),
        row(None, "Half?"),
        row("7", "<image>How many?", images=[]),
    ]
    return lines(folder, rows, "verl")


def table(folder: Path) -> tuple[SourceOptions, int]:
    rows: list[object] = [
        {"question": "Which? <image1>", "images": ["1.png"], "options": ["a", "b"], "answer": "b"},
        {"problem": "1 + 1", "solution": "2"},
        {"image": "2.png", "caption": "A red field."},
        {"question": "Which?", "options": ["a", "b"], "answer": "c"},
        {"question": "Which?"},
    ]
    return lines(folder, rows, "table")


def stored(folder: Path) -> tuple[SourceOptions, int]:
    """What an import made, with a label."""
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    (made / "rows").mkdir()
    options, rows = llava(made / "rows")
    build_source("s", options, 5, folder / "made")
    for path in (folder / "made").iterdir():
        path.rename(folder / path.name)
    (folder / "made").rmdir()
    shutil.rmtree(made)
    return StoreSource(path=str(folder)), rows


MAKERS: dict[str, Callable[[Path], tuple[SourceOptions, int]]] = {
    "scenes": scenes,
    "llava_json": llava,
    "python": python,
    "sharegpt": sharegpt,
    "openai": openai,
    "trl": trl,
    "cauldron": cauldron,
    "verl": verl,
    "table": table,
    "store": stored,
}

KEPT = {
    "scenes": 34, "llava_json": 3, "python": 3, "sharegpt": 2, "openai": 3, "trl": 4, "cauldron": 2,
    "verl": 2, "table": 3, "store": 3,
}  # fmt: skip
"""Records of each maker's rows; the others are faulty."""

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
    assert len(opened) + len(dropped) == rows and len(opened) == KEPT[kind]
    assert all(row["reason"] for row in dropped)
    groups: dict[str, set[str]] = {}
    for record in opened.records():
        groups.setdefault(record.source.group, set()).add(record.source.split)
    assert all(len(splits) == 1 for splits in groups.values())


@kinds
def test_hashes_cover_what_is_read(tmp_path: Path, kind: str) -> None:
    options, _ = MAKERS[kind](tmp_path)
    before = dict(input_hashes(options))
    assert source_version(options) >= 1
    for path in sorted(one for one in tmp_path.iterdir() if one.is_file()):
        whole = path.read_bytes()
        if path.suffix == ".png":
            path.write_bytes(whole + b"\0")
            assert {**before, **input_hashes(options)} != before
            path.write_bytes(whole)
        else:
            told = [name for name in before if path.name in name]
            assert [before[name] for name in told] == [hashlib.sha256(whole).hexdigest()]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def rows():\n    return []\n", "gave no row; mend the function"),
        ("def rows():\n    yield {}\n    1 / 0\n", "raised ZeroDivisionError after 1 rows: div"),
        ("def rows():\n    yield 7\n", r"mine.py:rows row 0=7 is"),
        ("def row():\n    yield 7\n", "has no function 'rows'; did you mean 'row'"),
        ("def rows(more):\n    yield 7\n", "raised TypeError after 0 rows: .*'more'"),
    ],
)
def test_a_function_that_gives_no_rows_is_one_clear_error(
    tmp_path: Path, code: str, says: str
) -> None:
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    options = PythonSource(path=f"{tmp_path / 'mine.py'}:rows", dataset="mine", licence="MIT")
    with pytest.raises(UserError, match=says):
        build_source("s", options, 0, tmp_path / "out")


def test_two_inputs_of_one_name_are_two_inputs_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def rows(inputs):\n    yield ROW\n", encoding="utf-8")
    row = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    (tmp_path / "mine.py").write_text(f"def rows(inputs):\n    yield {row!r}\n", encoding="utf-8")
    names = [tmp_path / at / "t.csv" for at in "ab"]
    for at, name in enumerate(names):
        name.parent.mkdir()
        name.write_text(str(at), encoding="utf-8")

    def hashes(*inputs: Path) -> dict[str, str]:
        told = {"path": f"{tmp_path / 'mine.py'}:rows", "dataset": "mine", "licence": "MIT"}
        source = PythonSource.model_validate({**told, "inputs": [str(name) for name in inputs]})
        return dict(input_hashes(source))

    before = hashes(*names)
    assert len(before) == 3 and hashes(*reversed(names)) != before
    names[0].write_text("changed", encoding="utf-8")
    assert hashes(*names) != before


def test_a_value_that_is_not_json_is_a_faulty_row(tmp_path: Path) -> None:
    code = (
        "import datetime\n\ndef rows():\n"
        "    turns = [{'from': 'human', 'value': 'a'}, {'from': 'gpt', 'value': 'b'}]\n"
        "    yield {'id': datetime.date(2026, 1, 1), 'conversations': turns}\n"
    )
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    options = PythonSource(path=f"{tmp_path / 'mine.py'}:rows", dataset="mine", licence="MIT")
    with pytest.raises(UserError, match=r"mine.py:rows row 0=.* holds a value that is not JSON"):
        build_source("s", options, 0, tmp_path / "out")


def test_an_unusable_folder_is_one_clear_error(tmp_path: Path) -> None:
    options, _ = llava(tmp_path)
    (tmp_path / "rows.json").unlink()
    with pytest.raises(UserError, match="rows.json.* does not exist"):
        build_source("s", options, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()
