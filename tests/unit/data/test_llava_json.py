"""Importing a file with its images: faults, groups, splits, bytes."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data import build_source, input_hashes, overlaps
from pellucid.recipe.rows import LlavaJsonSource, SplitShares


def png(shade: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (10, 6), (shade, 0, 0)).save(out, "PNG")
    return out.getvalue()


def row(question: str, image: object = None, **fields: object) -> dict:
    said = [{"from": "human", "value": question}, {"from": "gpt", "value": "yes"}]
    return {"conversations": said, "image": image, **fields}


def put(
    folder: Path, rows: list, images: tuple[int, ...] = (1, 2, 3), **options
) -> LlavaJsonSource:
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for shade in images:
        (folder / "pictures" / f"{shade}.png").write_bytes(png(shade))
    (folder / "rows.json").write_text(json.dumps(rows))
    return LlavaJsonSource(path=str(folder / "rows.json"), dataset="mine", licence="MIT", **options)


def test_images_are_kept_byte_for_byte_and_once(tmp_path: Path) -> None:
    rows = [row("a", "pictures/1.png"), row("b", ["pictures/1.png", "pictures/2.png"]), row("c")]
    build_source("s", put(tmp_path, rows), 0, tmp_path / "out")
    opened = store.open(tmp_path / "out")
    shown = [[opened.image(ref.sha256) for ref in item.images] for item in opened.records()]
    assert shown == [[png(1)], [png(1), png(2)], []]
    assert opened.verify() == []
    first = opened.records()[0]
    assert first.source.licence == "MIT" and first.lineage[0].op == "import.llava_json"
    assert json.loads(first.raw)["image"] == "pictures/1.png"


def test_hashes_name_every_file_that_is_read(tmp_path: Path) -> None:
    options = put(tmp_path, [row("a", "pictures/1.png"), row("b", "pictures/2.png")])
    before = input_hashes(options)
    assert set(before) == {"rows.json", "images"}
    (tmp_path / "pictures/2.png").write_bytes(png(99))
    after = input_hashes(options)
    assert {name for name in before if before[name] != after[name]} == {"images"}


def test_all_faulty_rows_are_counted_and_five_listed(tmp_path: Path) -> None:
    rows = [row("ok", "pictures/1.png")] + [row("<image>") for _ in range(8)]
    with pytest.raises(UserError) as caught:
        build_source("s", put(tmp_path, rows), 0, tmp_path / "out")
    lines = str(caught.value).split("\n")
    assert len(lines) == 6
    assert lines[0].startswith("rows.json row 1='1 <image> tags, 0 images' do not match; write")
    assert lines[5].startswith("rows.json=8 of 9 rows are faulty")
    assert not (tmp_path / "out/store.json").exists()


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("pictures/gone.png", "'pictures/gone.png' does not exist in the image folder"),
        ("pictures", "does not exist in the image folder"),
        ("../../etc/passwd", "'../../etc/passwd' lies outside the image folder"),
        ("/etc/passwd", "lies outside the image folder"),
        ("link.png", "lies outside the image folder"),
        ("a\0b", "is no path"),
        ("x" * 5000, "is no path"),
        ("pictures/cut.png", "'pictures/cut.png' is a broken or cut-off image"),
        ("pictures/text.png", "is not an image of a known format"),
        ("pictures/large.png", "has 200 x 100 pixels, more than 10000"),
    ],
)
def test_an_image_that_cannot_be_used(tmp_path: Path, image: str, says: str) -> None:
    folder = tmp_path / "in"
    options = put(folder, [row("a", image), row("b", "pictures/1.png")], max_image_pixels=10_000)
    (folder / "pictures/cut.png").write_bytes(png(5)[:-20])
    (folder / "pictures/text.png").write_text("hello")
    Image.new("L", (200, 100)).save(folder / "pictures/large.png")
    (tmp_path / "outside.png").write_bytes(png(6))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(UserError, match=says) as caught:
        build_source("s", options, 0, tmp_path / "refused")
    assert "rows.json row 0=" in str(caught.value) and "\n" not in str(caught.value)
    dropping = options.model_copy(update={"on_fault": "drop"})
    build_source("s", dropping, 0, tmp_path / "out")
    ledger = store.open(tmp_path / "out").ledger().to_pylist()
    assert [(entry["row"], entry["decision"]) for entry in ledger] == [(0, "dropped"), (1, "kept")]
    assert says.split("'")[-1].strip() in ledger[0]["reason"]


def test_when_nothing_is_left_it_is_an_error_even_when_dropping(tmp_path: Path) -> None:
    options = put(tmp_path, [row("<image>"), row("<image>")], on_fault="drop")
    with pytest.raises(UserError, match="none is left"):
        build_source("s", options, 0, tmp_path / "out")


@pytest.mark.parametrize("call", ["build", "hash"])
@pytest.mark.parametrize(
    ("path", "folder", "says"),
    [
        ("gone.json", None, "gone.json.* does not exist"),
        ("rows.json", "nowhere", "image_folder=.*nowhere.* is no folder"),
        ("empty.json", None, "holds no rows"),
        ("broken.json", None, r"is not JSON.*line 1, column 2"),
    ],
)
def test_missing_and_empty_inputs(
    tmp_path: Path, call: str, path: str, folder: str | None, says: str
) -> None:
    put(tmp_path, [row("a")])
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "broken.json").write_text("[")
    options = LlavaJsonSource(
        path=str(tmp_path / path),
        image_folder=str(tmp_path / folder) if folder else None,
        dataset="d",
        licence="MIT",
    )
    with pytest.raises(UserError, match=says):
        if call == "build":
            build_source("s", options, 0, tmp_path / "out")
        else:
            input_hashes(options)


HALVES = SplitShares(validation=0, test=0.5)


def splits(folder: Path) -> dict[str, str]:
    """Question -> split."""
    return {item.messages[0].text: item.source.split for item in store.open(folder).records()}


def test_what_shares_a_picture_shares_a_split(tmp_path: Path) -> None:
    rows = [row(f"q{n}", f"pictures/{n}.png") for n in range(40)]
    rows += [
        row(f"pair{n}", [f"pictures/{n}.png", f"pictures/{n + 1}.png"]) for n in range(0, 40, 2)
    ]
    rows += [row(f"copy{n}", f"pictures/copy{n}.png") for n in range(40)]
    options = put(tmp_path, rows, tuple(range(40)), split=HALVES)
    for n in range(40):  # other bytes, equal pixels
        Image.new("RGB", (10, 6), (n, 0, 0)).save(tmp_path / f"pictures/copy{n}.png", optimize=True)
    build_source("s", options, 1, tmp_path / "out")
    dealt = splits(tmp_path / "out")
    assert set(dealt.values()) == {"train", "test"}
    for n in range(0, 40, 2):
        together = {dealt[name] for name in (f"q{n}", f"q{n + 1}", f"pair{n}", f"copy{n}")}
        assert len(together) == 1
    assert overlaps([store.open(tmp_path / "out")]) == []


def test_a_split_does_not_depend_on_the_other_rows(tmp_path: Path) -> None:
    rows = [row(f"q{n}", f"pictures/{n}.png") for n in range(30)]
    build_source("s", put(tmp_path, rows, tuple(range(30)), split=HALVES), 1, tmp_path / "all")
    build_source("s", put(tmp_path, rows[20:5:-1], (), split=HALVES), 1, tmp_path / "some")
    every, some = splits(tmp_path / "all"), splits(tmp_path / "some")
    assert len(some) == 15 and all(every[question] == split for question, split in some.items())


def test_labels_win_and_pull_their_group(tmp_path: Path) -> None:
    rows = [
        row("a", "pictures/1.png", split="test"),
        row("b", "pictures/1.png"),
        row("c", "pictures/2.png", group="g", split="validation"),
        row("d", "pictures/3.png", group="g"),
        row("e", split="train"),
        row("f", "pictures/1.png", split="train"),
    ]
    none = SplitShares(validation=0, test=0)
    build_source("s", put(tmp_path, rows, split=none), 0, tmp_path / "out")
    assert splits(tmp_path / "out") == {
        "a": "test", "b": "test", "c": "validation", "d": "validation", "e": "train", "f": "train",
    }  # fmt: skip


def test_the_shipped_real_slice_is_sound(tmp_path: Path) -> None:
    options = LlavaJsonSource(
        path="asset:examples/real/real.json", dataset="real", licence="CC-BY-4.0 AND MIT"
    )
    build_source("real", options, 0, tmp_path)
    opened = store.open(tmp_path)
    records = opened.records()
    assert len(records) == 100 and opened.verify() == []
    assert {item.source.licence for item in records} == {"CC-BY-4.0", "MIT"}
    assert {item.answer.kind for item in records if item.answer} == {
        "text",
        "number",
        "box",
        "choice",
    }
    assert {item.source.split for item in records} == {"train", "validation", "test"}
    assert overlaps([opened]) == []
    total = sum(len(opened.image(sha)) for sha in {ref.sha256 for r in records for ref in r.images})
    assert total < 2_000_000
