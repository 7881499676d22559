"""The length index: true to the examples, kept between tries, and firm about what cannot work."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pellucid.base.errors import UserError
from pellucid.model.processor import Processor
from pellucid.prompt.render import Renderer
from pellucid.recipe.train import Pack
from pellucid.schema.record import Source, Turn, assistant, make_record, user
from pellucid.store import MixRow, Store, Writer, read_mix
from pellucid.train.lengths import DROPPED, FILE, Lengths, index_lengths, refuse_unfit


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
    from pellucid import store

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
    assert found.records == tuple(record.id for record in world.records)
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
    assert again.records == first.records and again.tokens.tolist() == first.tokens.tolist()
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
    assert index(mix=mix, stores=stores).records == (mix[1].id,)
    assert dropped(tmp_path) == [
        {"row": 0, "record": mix[0].id, "over_budget": False, "reason": "nothing is supervised"}
    ]
    with pytest.raises(UserError, match="nothing to train on: 1 records .*nothing is supervised"):
        index(mix=mix[:1], stores=stores)


@pytest.mark.parametrize(("supervised", "share"), [(0, "0 %"), (12, "100 %")])
def test_an_empty_or_full_mask_is_refused(stage, supervised: int, share: str) -> None:
    """Our renderer makes neither; another one must not slip through."""
    table = pa.table({"kept": [True], "tokens": [12], "supervised": [supervised]})
    with pytest.raises(UserError, match=f"is {share} supervised"):
        refuse_unfit(stage(), table, [])


def test_a_mode_that_cannot_be_rendered_names_the_record(index, tmp_path) -> None:
    stores, mix = store_of(tmp_path / "s", (user("a"), assistant("b")))
    thinking = [MixRow(mix[0].id, 1, "think")]
    with pytest.raises(UserError, match=f"mix='{mix[0].id}' cannot be rendered"):
        index(mix=thinking, stores=stores)
