"""What every kind of fault keeps, asked of each row of the table."""

import copy
import inspect
import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import pytest

from pellucid.base.seeds import derive
from pellucid.data.faults import FAULTS, FORMS, clean_rows
from pellucid.data.faults.base import REPLIES, USERS
from pellucid.data.llava import RowFault, parse_row

Row = dict[str, Any]
SAMPLE = 600
"""Clean rows that each kind is tried on; several kinds apply to one in ten of them or fewer."""
MAY_CHANGE = {
    "tags": {"conversations", "image", "image_size"},
    "turns": {"conversations"},
    "roles": {"conversations"},
    "thinking": {"conversations", "mode"},
    "answers": {"conversations", "answer"},
    "boxes": {"conversations", "answer"},
    "encoding": {"conversations", "options", "answer"},
    "options": {"conversations", "image", "image_size", "options", "answer"},
}
"""Fields that a family may touch; all others come out as they went in."""
LOOKS_SOUND = {
    # What `parse_row` accepts although the row is not what it should be.
    "tag_misspelt", "tag_in_reply", "image_empty_text", "mode_tag_in_text", "thinking_disagrees",
    "reply_boilerplate", "reply_echoes_question", "reply_not_gold", "reply_hedged",
    "letter_in_words", "letter_as_text", "text_as_letter", "word_in_sentence", "box_text_broken",
    "line_breaks_escaped", "quotes_escaped", "letters_escaped", "entities", "entities_twice",
    "tags_escaped", "mojibake", "mojibake_twice", "letters_lost", "invisible_signs",
    "prompt_overdone", "gold_beyond_options", "gold_not_offered", "options_doubled",
    "options_listed_otherwise", "options_not_listed", "image_not_there", "answers_contradict",
    "mode_contradicts", "think_tag_misspelt", "think_tag_doubled", "turns_nested",
    "exchange_doubled", "tags_all_missing",
}  # fmt: skip


@cache
def planted(kind: str) -> tuple[tuple[Row, Row], ...]:
    """Clean and faulty rows of a kind."""
    pairs = []
    for number, row in enumerate(clean_rows(derive(3, kind), SAMPLE, FAULTS[kind].on)):
        faulty = FAULTS[kind].plant(row, Random(derive(4, kind, number)))
        if faulty is not None:
            pairs.append((row, faulty))
    return tuple(pairs)


def key(value: object) -> str:
    """A row as a text; lists differ from texts, numbers from their names."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def test_there_are_many_kinds_in_all_families() -> None:
    assert len(FAULTS) >= 30 and {fault.family for fault in FAULTS.values()} == set(MAY_CHANGE)
    assert all(set(fault.on) <= set(FORMS) for fault in FAULTS.values())
    plants = [fault.plant for fault in FAULTS.values()]
    assert len(set(plants)) == len(plants) and all(inspect.getdoc(plant) for plant in plants)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_is_planted_in_many_rows_and_never_in_vain(kind: str) -> None:
    pairs = planted(kind)
    assert len(pairs) >= 20
    assert [row for row, faulty in pairs if row == faulty and type(row) is type(faulty)] == []


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_touches_the_fields_of_its_family_only(kind: str) -> None:
    allowed = MAY_CHANGE[FAULTS[kind].family] | ({"id"} if FAULTS[kind].adds_row else set())
    for row, faulty in planted(kind):
        changed = {name for name in row.keys() | faulty.keys()
                   if key(row.get(name, "-")) != key(faulty.get(name, "-"))}  # fmt: skip
        assert changed and changed <= allowed, (changed, faulty)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_leaves_its_input_alone_and_shares_nothing_with_it(kind: str) -> None:
    for number, row in enumerate(clean_rows(derive(3, kind), 150, FAULTS[kind].on)):
        before = copy.deepcopy(row)
        faulty = FAULTS[kind].plant(row, Random(derive(4, kind, number)))
        assert row == before
        if faulty is not None and isinstance(faulty.get("conversations"), list):
            for part in _dicts(faulty["conversations"]):
                part["value"] = part["from"] = "spoilt"
        if faulty is not None and isinstance(faulty.get("answer"), dict):
            faulty["answer"]["gold"] = "spoilt"
        assert row == before


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_is_a_function_of_row_and_seed(kind: str) -> None:
    for number, row in enumerate(clean_rows(derive(3, kind), 60, FAULTS[kind].on)):
        seed = derive(4, kind, number)
        once, again = (FAULTS[kind].plant(row, Random(seed)) for _ in range(2))
        assert key(once) == key(again)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_refused_by_the_importer_or_known_to_pass_it(kind: str) -> None:
    refused = 0
    for _, faulty in planted(kind):
        try:
            parse_row(faulty)
        except RowFault:
            refused += 1
    assert (refused < len(planted(kind))) == (kind in LOOKS_SOUND)


@pytest.mark.parametrize("kind", [name for name in FAULTS if not FAULTS[name].breaks])
def test_after_it_turns_can_still_be_read(kind: str) -> None:
    """So that a second fault can be planted."""
    for _, faulty in planted(kind):
        for turn in faulty["conversations"]:
            assert turn["from"] in ("system", *USERS, *REPLIES) and isinstance(turn["value"], str)


def _dicts(value: object) -> Iterator[Row]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _dicts(part)
