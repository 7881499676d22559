"""Lengths of a record in every mode, against the examples that training makes of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.prompt.lengths import measure
from pellucid.schema.record import assistant, user

QUICK = settings(deadline=None, max_examples=60, derandomize=True)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@pytest.mark.parametrize("keep", [False, True])
@QUICK
@given(data=st.data())
def test_they_are_those_of_the_examples_in_every_mode(make_renderer, records, keep, data) -> None:
    """Many turns, many pictures, weights of zero; as it is, and with the last answer overridden."""
    renderer, record = make_renderer(keep_thinking=keep), data.draw(records(TEXT))
    told = measure(record, renderer)
    for mode in ("as_is", "nothink", "think"):
        shown = told["own"] if mode == "as_is" else mode
        if mode == "think" and not record.messages[-1].reasoning:
            assert told["think"] is None
            continue
        assert told[shown] == [
            {
                "mode": one.mode, "tokens": len(one.ids), "supervised": sum(one.supervised),
                "patches": sum(plan.rows * plan.cols for at in one.plans for plan in at.views),
            }
            for one in renderer.examples(record, mode)
        ]  # fmt: skip


def test_by_hand(renderer, record) -> None:
    """A picture of 4 x 3 patches and one of 2 x 2; see `test_render` for the ids."""
    assert measure(record, renderer) == {
        "id": record.id, "own": "nothink", "think": None,
        "nothink": [
            {"mode": "think", "tokens": 3 + 4 + 2 + 12 + 1 + 3 + 7, "patches": 16, "supervised": 7},
            {
                "mode": "nothink", "tokens": 25 + 3 + 4 + 4 + 1 + 3 + 3, "patches": 20,
                "supervised": 3,
            },
        ],
    }  # fmt: skip


def test_what_cannot_be_rendered_has_no_lengths(renderer, make) -> None:
    """Whoever asks for it renders it, and is told why."""
    found = measure(make(user("1"), replace(assistant("2", "3"), weight=0.5)), renderer)
    assert (found["own"], found["nothink"], found["think"]) == (None, None, None)
