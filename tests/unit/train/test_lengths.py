"""The length index: true to the examples, kept between tries, and firm about what cannot work."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.mix.pool import Pool
from pellucid.data.mix.tokens import count_tokens
from pellucid.model.processor import Processor
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import DynamicImages
from pellucid.recipe.train import Pack
from pellucid.schema.record import Part, Source, Turn, assistant, make_record, user
from pellucid.store import MixRow, Store, Writer, arrow, read_mix, write_part
from pellucid.store.lengths import label_of
from pellucid.train.feed import Feed
from pellucid.train.lengths import (
    DROPPED,
    FILE,
    SHRUNK,
    Lengths,
    Sums,
    index_lengths,
    refuse_unfit,
)


@pytest.fixture
def index(world, stage, tmp_path):
    """Index the tiny mix into the test's folder."""
    renderer = Renderer.load(world.model)

    def run(mix=None, context_tokens=256, stores=None, **changes) -> Lengths:
        rows = read_mix(world.mix).rows if mix is None else mix
        made = stage(**changes)
        return index_lengths(tmp_path, made, rows, stores or world.stores, renderer, context_tokens)

    return run


def dropped(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / DROPPED).read_text().splitlines()]


def store_of(folder: Path, *conversations: tuple[Turn, ...]) -> tuple[Store, list[MixRow]]:
    """A store of text records, and a mix of them."""
    records = [
        make_record(
            messages=turns,
            images=(),
            answer=None,
            task="t",
            domain="d",
            source=Source("extra", "train", row, "CC0-1.0"),
        )
        for row, turns in enumerate(conversations)
    ]
    writer = Writer(folder)
    writer.shard("a", records)
    writer.finish()
    return store.open(folder), [MixRow(record.id, 1, "as_is") for record in records]


def test_lengths_are_those_of_the_examples(world, index, tmp_path) -> None:
    found = index()
    renderer, stores = Renderer.load(world.model), world.stores
    processor = Processor(renderer)
    assert tuple(found.records) == tuple(record.id for record in world.records)
    assert dropped(tmp_path) == []
    assert max(found.part) == 1, "the mix has records with two examples"
    for place in range(len(found.row)):
        record = stores.get(found.records[found.row[place]])
        images = [stores.image(image.sha256) for image in record.images]
        rendered = renderer.examples(record)[found.part[place]]
        example = processor.example(rendered, images)
        assert found.tokens[place] == len(example.ids)
        assert found.patches[place] == len(example.patches)
        assert found.supervised[place] == example.supervised.sum()
        assert found.modes[place] == rendered.mode


def test_no_picture_is_opened(world, index, tmp_path, monkeypatch) -> None:
    """Sizes stand in the records: the same lengths where no picture can be read."""
    before = index()

    def refuse(*_: object) -> None:
        raise AssertionError("a picture was opened")

    monkeypatch.setattr(Store, "image", refuse)
    monkeypatch.setattr(Image, "open", refuse)
    # Another key, so it is looked up anew, in a store that nobody has measured.
    found = index(context_tokens=255, stores=unmeasured(world, tmp_path / "copy"))
    assert found.patches.any() and found.patches.tolist() == before.patches.tolist()
    assert found.tokens.tolist() == before.tokens.tolist()


def test_what_a_kill_leaves_belongs_together_or_is_made_again(index, tmp_path, monkeypatch) -> None:
    """Ended behind the files that stand beside the index, before the index itself is in place."""
    small = Pack(max_tokens=256, max_patches=4)  # too few for a picture
    index()
    assert dropped(tmp_path) == []

    class Killed(BaseException):
        pass

    def close(writer: pq.ParquetWriter, really=pq.ParquetWriter.close) -> None:
        really(writer)
        raise Killed

    with monkeypatch.context() as fault:
        fault.setattr(pq.ParquetWriter, "close", close)
        with pytest.raises(Killed):
            index(pack=small)
    assert dropped(tmp_path), "those of the index that never came"
    index()
    assert dropped(tmp_path) == []


def test_what_was_scaled_down_before_is_not_told_of_another_budget(index, tmp_path) -> None:
    index(pack=Pack(max_tokens=256, max_patches=64, over_budget="downscale"))
    assert (tmp_path / SHRUNK).is_file()
    index(pack=Pack(max_tokens=256, max_patches=64))
    assert not (tmp_path / SHRUNK).exists()


def unmeasured(world, folder: Path) -> Store:
    """The tiny store without any label."""
    shutil.copytree(world.data, folder, ignore=shutil.ignore_patterns("labels"))
    return store.open(folder)


@pytest.mark.parametrize("mode", ["as_is", "think", "nothink"])
def test_what_a_mix_counted_is_what_is_packed_by(world, stage, tmp_path, mode: str) -> None:
    """The mix makes the label of the store; the stage takes its word, whatever it says."""
    opened, renderer = unmeasured(world, tmp_path / "copy"), Renderer.load(world.model)
    count_tokens(Pool("tiny", opened), renderer)
    (label,) = (tmp_path / "copy/labels").iterdir()
    assert label.name == f"{label_of(renderer.hash)}@1"
    able = [one for one in world.records if one.messages[-1].reasoning or mode != "think"]
    rows = [MixRow(record.id, 1, mode) for record in able]
    given = stage(pack=Pack(max_tokens=9000, max_patches=900)), rows, opened, renderer, 9000
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    found = index_lengths(tmp_path / "a", *given)
    made = [one for record in able for one in renderer.examples(record, mode)]
    assert found.tokens.tolist() == [len(one.ids) for one in made]
    assert found.supervised.tolist() == [sum(one.supervised) for one in made]
    assert [*found.modes] == [one.mode for one in made]
    (part,) = label.iterdir()
    table = arrow.read_table(part)
    told = table.to_pylist()
    for row in told:
        for one in (*(row["nothink"] or ()), *(row["think"] or ())):
            one["tokens"] += 1000
    write_part(tmp_path / "copy", label_of(renderer.hash), 1, part.stem, renderer.hash,
               pa.Table.from_pylist(told, schema=table.schema))  # fmt: skip
    longer = index_lengths(tmp_path / "b", *given)
    assert (longer.tokens - found.tokens == 1000).all()


def test_what_a_stage_measured_is_what_a_mix_counts(world, stage, tmp_path) -> None:
    opened, renderer = unmeasured(world, tmp_path / "copy"), Renderer.load(world.model)
    rows = read_mix(world.mix).rows
    index_lengths(tmp_path, stage(), rows, opened, renderer, 256, keep=False)
    assert not (tmp_path / "copy/labels").exists(), "a plan leaves nothing behind"
    (tmp_path / FILE).unlink()
    index_lengths(tmp_path, stage(), rows, opened, renderer, 256)
    (part,) = (tmp_path / "copy/labels").glob("*/*.parquet")
    before, pool = part.stat().st_mtime_ns, Pool("tiny", opened)
    counted = count_tokens(pool, renderer)
    assert part.stat().st_mtime_ns == before
    ids = [id for _, piece in pool.ids.pieces() for id in piece.to_pylist()]
    for at, id in enumerate(ids):
        record = opened.get(id)
        for mode, name in enumerate(("nothink", "think")):
            seen = name == "nothink" or record.messages[-1].reasoning
            examples = renderer.examples(record, name) if seen else []
            assert counted.longest[mode, at] == max((len(one.ids) for one in examples), default=0)
            learnt = sum(sum(one.supervised) for one in examples)
            assert counted.supervised[mode, at] == learnt


def test_entries_repeat_rows_as_the_mix_says(world, index) -> None:
    """The first row stands twice."""
    assert index().entries.tolist() == [0, *range(len(world.records))]


def test_examples_of_a_row(index) -> None:
    found = index()
    covered = [place for row in range(len(found.records)) for place in found.examples_of(row)]
    assert covered == list(range(len(found.row)))
    assert all(found.row[place] == 7 for place in found.examples_of(7))


def test_an_index_is_read_back_while_its_key_holds(index, tmp_path) -> None:
    first = index()
    before = (tmp_path / FILE).stat().st_mtime_ns
    again = index()
    assert (tmp_path / FILE).stat().st_mtime_ns == before
    assert [*again.records] == [*first.records] and again.tokens.tolist() == first.tokens.tolist()
    index(context_tokens=200)
    assert (tmp_path / FILE).stat().st_mtime_ns > before


def test_over_budget_is_dropped_whole_and_written_down(world, index, tmp_path) -> None:
    """A record goes with all its examples."""
    pack = Pack(max_tokens=120, max_patches=5)
    found = index(pack=pack)
    left_out = dropped(tmp_path)
    assert 0 < len(left_out) < len(world.records)
    assert len(found.records) + len(left_out) == len(world.records)
    assert {one["record"] for one in left_out}.isdisjoint(found.records)
    assert all(one["over_budget"] for one in left_out)
    assert all("patches > pack.max_patches 5" in one["reason"] for one in left_out)
    assert found.patches.max() <= 5


def pictured(folder: Path, *sizes: list[tuple[int, int]]) -> tuple[Store, list[MixRow]]:
    """A store of records with pictures of these sizes, and a mix of them."""
    writer, records = Writer(folder), []
    for row, shown in enumerate(sizes):
        images = []
        for width, height in shown:
            file = BytesIO()
            Image.effect_noise((width, height), 90).convert("RGB").save(file, "PNG")
            images.append(writer.image(file.getvalue()))
        parts = (*(Part("image", image=at) for at in range(len(shown))), Part("text", "Why?"))
        turns = (Turn("user", parts), assistant("So."))
        source = Source("extra", "train", row, "CC0-1.0")
        records.append(
            make_record(
                messages=turns,
                images=tuple(images),
                answer=None,
                task="t",
                domain="d",
                source=source,
            )  # fmt: skip
        )
    writer.shard("a", records)
    writer.finish()
    return store.open(folder), [MixRow(record.id, 1, "as_is") for record in records]


def test_images_are_scaled_down_until_their_record_fits(world, stage, tmp_path) -> None:
    """The largest first, no more than needed, no word lost; the feed makes what is said."""
    known = Renderer.load(world.model)
    images = DynamicImages(min_patches=4, max_patches=100)
    renderer = Renderer(known.tokenizer, known.format, images, 16)
    large, small = (160, 160), (48, 48)  # 100 patches and 9
    stores, mix = pictured(tmp_path / "data", [large], [large, small], [small], [large] * 5)

    def measured(name: str, **budget) -> Lengths:
        (tmp_path / name).mkdir()
        made = stage(pack=Pack(**budget))
        return index_lengths(tmp_path / name, made, mix, stores, renderer, 4096)

    plain = measured("plain", max_tokens=4096, max_patches=4096)
    assert plain.patches.tolist() == [100, 109, 9, 500]
    found = measured("tight", max_tokens=4096, max_patches=70, over_budget="downscale")
    assert tuple(found.image_tokens) == (70, 61, None), (
        "five pictures of 14 tokens would show nothing"
    )
    assert [*found.records] == [*plain.records[:3]] and (found.patches <= 70).all()
    assert found.patches.tolist() == [64, 49 + 9, 9], "squares of 8 and of 7"
    assert (found.tokens - found.patches).tolist() == (plain.tokens - plain.patches).tolist()[:3]
    (left_out,) = dropped(tmp_path / "tight")
    assert left_out["record"] == mix[3].id and "patches > pack.max_patches" in left_out["reason"]
    told = [json.loads(line) for line in (tmp_path / "tight" / SHRUNK).read_text().splitlines()]
    assert [(one["record"], one["image_tokens"]) for one in told] == [
        (mix[0].id, 70), (mix[1].id, 61)
    ]  # fmt: skip
    feed = Feed(found, stores, renderer)
    for at in range(3):
        made = feed.example(at)  # which checks the lengths that the index promised
        assert made.grids.prod(1).sum() == found.patches[at]
    by_tokens = measured("tokens", max_tokens=50, max_patches=4096, over_budget="downscale")
    assert by_tokens.tokens.max() <= 50 and len(by_tokens.records) == 3
    assert len(measured("drop", max_tokens=4096, max_patches=70).records) == 1


def test_the_context_is_a_budget_too(index, tmp_path) -> None:
    assert index(context_tokens=20).tokens.max() <= 20
    assert any("> the context of 20" in one["reason"] for one in dropped(tmp_path))


def test_refuse_names_the_records(world, index) -> None:
    pack = Pack(max_tokens=120, max_patches=5, over_budget="refuse")
    with pytest.raises(UserError, match="over_budget='refuse' is refuse, and .* do not fit"):
        index(pack=pack)


def test_nothing_left_is_refused(index) -> None:
    with pytest.raises(UserError, match="mix='tiny' leaves nothing to train on: 20 records"):
        index(pack=Pack(max_tokens=16, max_patches=1))


def test_a_record_without_targets_is_dropped(index, tmp_path) -> None:
    mute = Turn("assistant", assistant("no").content, "nothink", None, weight=0.0)
    stores, mix = store_of(tmp_path / "s", (user("a"), mute), (user("b"), assistant("yes")))
    assert tuple(index(mix=mix, stores=stores).records) == (mix[1].id,)
    assert dropped(tmp_path) == [
        {"row": 0, "record": mix[0].id, "over_budget": False, "reason": "nothing is supervised"}
    ]
    with pytest.raises(UserError, match="nothing to train on: 1 records .*nothing is supervised"):
        index(mix=mix[:1], stores=stores)


@pytest.mark.parametrize(("supervised", "share"), [(0, "0 %"), (12, "100 %")])
def test_an_empty_or_full_mask_is_refused(stage, supervised: int, share: str) -> None:
    """Our renderer makes neither; another one must not slip through."""
    with pytest.raises(UserError, match=f"is {share} supervised"):
        refuse_unfit(stage(), Sums(1, 12, supervised), [])


def test_a_mode_that_cannot_be_rendered_names_the_record(index, tmp_path) -> None:
    stores, mix = store_of(tmp_path / "s", (user("a"), assistant("b")))
    thinking = [MixRow(mix[0].id, 1, "think")]
    with pytest.raises(UserError, match=f"mix='{mix[0].id}' cannot be rendered"):
        index(mix=thinking, stores=stores)
