"""Which prompts are asked, in which order and mode, and what is left out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.model.checkpoint import load
from pellucid.prompt.render import Renderer
from pellucid.rl.prompts import (
    Prompts,
    Survey,
    prompt_mode,
    question,
    rendered_prompt,
    survey,
    write_left,
)
from pellucid.schema.record import assistant
from pellucid.store import MixRow, read_mix

from .conftest import World, make_options


@pytest.fixture(scope="module")
def renderer(world: World) -> Renderer:
    return load(world.model).renderer


def look(world: World, renderer: Renderer, context: int = 96, **changes) -> Survey:
    rows = changes.pop("rows", None) or read_mix(world.mix).rows
    return survey("toy", make_options(**changes), rows, world.stores, renderer, context)


def find(world: World, renderer: Renderer, context: int = 96, **changes) -> Prompts:
    found = look(world, renderer, context, **changes)
    return Prompts(found.entries, changes.get("prompts_per_batch", 4), 7)


def test_records_without_a_checkable_gold_are_left_out_with_a_reason(
    world: World, renderer: Renderer, tmp_path: Path
) -> None:
    found = look(world, renderer)
    assert len(Prompts(found.entries, 4, 7)) == 7  # six records, the first one twice
    write_left(tmp_path, {"toy": found.left})
    dropped = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    assert [one["record"] for one in dropped] == [record.id for record in world.records[6:]]
    assert {one["mix"] for one in dropped} == {"toy"}
    assert dropped[0]["reason"] == "no gold answer" and "json" in dropped[1]["reason"]


def test_every_epoch_asks_every_entry_once(world: World, renderer: Renderer) -> None:
    prompts = find(world, renderer, prompts_per_batch=3, updates_per_batch=3)
    asked = [prompt for number in range(14) for prompt in prompts.batch(number)]
    assert [prompt.number for prompt in asked] == list(range(42))
    epochs = [[prompt.record for prompt in asked[start : start + 7]] for start in range(0, 42, 7)]
    whole = sorted([world.records[0].id, *(record.id for record in world.records[:6])])
    assert all(sorted(epoch) == whole for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3
    assert prompts.batch(2) == asked[6:9]


def test_the_mode_is_the_recipes_then_the_mixs_then_the_records(
    world: World, renderer: Renderer
) -> None:
    def modes(**changes) -> dict[str, str]:
        found = find(world, renderer, prompts_per_batch=8, **changes)
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


def test_a_prompt_without_room_for_its_answer_is_left_out(world: World, renderer: Renderer) -> None:
    lengths = {
        record.id: len(rendered_prompt(record, "nothink", renderer).ids)
        for record in world.records[:6]
    }
    longest = max(lengths.values())
    fits = find(world, renderer, context=longest + 6, mode="nothink")
    assert fits.longest == longest and len(fits) == 7
    for changes in ({"context": longest + 5}, {"pack_tokens": longest + 5}):
        assert find(world, renderer, mode="nothink", **changes).longest < longest
        reasons = [one.reason for one in look(world, renderer, mode="nothink", **changes).left]
        assert any(f"{longest} prompt tokens > {longest - 1}" in reason for reason in reasons)


def test_a_mix_without_any_gold_answer_is_refused(world: World, renderer: Renderer) -> None:
    rows = [MixRow(world.records[6].id, 1, "as_is")]
    with pytest.raises(UserError, match=r"rl\.mix='toy' gives no prompt.*no gold answer"):
        find(world, renderer, rows=rows)


@pytest.mark.parametrize(
    ("mode", "reasoning", "asked"),
    [
        ("nothink", "listing: 7", "nothink"),
        ("think", "I count 7.", "think"),
        ("nothink", None, "nothink"),
    ],
)
def test_reasoning_that_a_record_does_not_show_is_not_asked_for(
    world: World, mode: str, reasoning: str | None, asked: str
) -> None:
    record = world.records[0]
    turns = (record.messages[0], replace(assistant("7"), mode=mode, reasoning=reasoning))
    told = replace(record, messages=turns)
    assert prompt_mode(make_options(), MixRow(record.id, 1, "as_is"), told) == asked
    assert prompt_mode(make_options(), MixRow(record.id, 1, "think"), told) == "think"
    assert prompt_mode(make_options(mode="auto"), MixRow(record.id, 1, "think"), told) == "auto"
