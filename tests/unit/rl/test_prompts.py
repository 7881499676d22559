"""Which prompts are asked, in which order and mode, and what is left out."""

import json
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.model.checkpoint import load
from pellucid.prompt.render import Renderer
from pellucid.rl.prompts import Prompts, find_prompts, question, rendered_prompt
from pellucid.store import MixRow, read_mix

from .conftest import World, make_options


@pytest.fixture(scope="module")
def renderer(world: World) -> Renderer:
    return load(world.model).renderer


def find(world: World, renderer: Renderer, folder: Path, context: int = 96, **changes) -> Prompts:
    rows = changes.pop("rows", None) or read_mix(world.mix).rows
    options = make_options(**changes)
    return find_prompts(folder, options, rows, world.stores, renderer, context, 7)


def test_records_without_a_checkable_gold_are_left_out_with_a_reason(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    prompts = find(world, renderer, tmp_path)
    assert len(prompts) == 7  # six records, the first one twice
    dropped = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    assert [one["record"] for one in dropped] == [record.id for record in world.records[6:]]
    assert dropped[0]["reason"] == "no gold answer" and "json" in dropped[1]["reason"]


def test_every_epoch_asks_every_entry_once(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    prompts = find(world, renderer, tmp_path, prompts_per_batch=3, updates_per_batch=3)
    asked = [prompt for number in range(14) for prompt in prompts.batch(number)]
    assert [prompt.number for prompt in asked] == list(range(42))
    epochs = [[prompt.record for prompt in asked[start : start + 7]] for start in range(0, 42, 7)]
    whole = sorted([world.records[0].id, *(record.id for record in world.records[:6])])
    assert all(sorted(epoch) == whole for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3
    assert prompts.batch(2) == asked[6:9]


def test_the_mode_is_the_recipes_then_the_mixs_then_the_records(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    def modes(**changes) -> dict[str, str]:
        found = find(world, renderer, tmp_path, prompts_per_batch=8, **changes)
        return {prompt.record: prompt.mode for prompt in found.batch(0)}

    own = modes()
    assert own[world.records[3].id] == "think" and own[world.records[1].id] == "nothink"
    assert set(modes(mode="auto").values()) == {"auto"}
    rows = [MixRow(record.id, 1, "think") for record in world.records[:3]]
    assert set(modes(rows=rows).values()) == {"think"}


def test_a_prompt_ends_before_the_answer_and_keeps_earlier_turns(
    world: World, renderer: Renderer
) -> None:
    record = world.records[5]
    assert question(record) == record.messages[:3]
    text = renderer.tokenizer.decode(rendered_prompt(record, "nothink", renderer).ids)
    assert "And now?" in text and "3" in text
    assert text.endswith("assistant<|im_sep|><nothink>")


def test_a_prompt_without_room_for_its_answer_is_left_out(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    lengths = {
        record.id: len(rendered_prompt(record, "nothink", renderer).ids)
        for record in world.records[:6]
    }
    longest = max(lengths.values())
    fits = find(world, renderer, tmp_path, context=longest + 6, mode="nothink")
    assert fits.longest == longest and len(fits) == 7
    for changes in ({"context": longest + 5}, {"pack_tokens": longest + 5}):
        fewer = find(world, renderer, tmp_path, mode="nothink", **changes)
        assert fewer.longest < longest
        assert (
            f"{longest} prompt tokens > {longest - 1}" in (tmp_path / "dropped.jsonl").read_text()
        )


def test_a_mix_without_any_gold_answer_is_refused(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    rows = [MixRow(world.records[6].id, 1, "as_is")]
    with pytest.raises(UserError, match=r"rl\.mix='toy' gives no prompt.*no gold answer"):
        find(world, renderer, tmp_path, rows=rows)
