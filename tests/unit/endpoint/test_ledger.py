"""The ledger: keys are equal when content is; rows end once; nothing is forgotten."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_bytes
from pellucid.endpoint import Bound, Call, Ledger, ModelSetting, Reply
from pellucid.endpoint.base import asked
from pellucid.endpoint.provenance import export
from pellucid.schema.record import Part, Turn

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PICTURES = [hash_bytes(bytes([number])) for number in range(3)]


@st.composite
def contents(draw: st.DrawFn) -> tuple[ModelSetting, Call]:
    images = tuple(draw(st.lists(st.sampled_from(PICTURES), max_size=2)))
    parts = st.one_of(
        st.builds(lambda text: Part("text", text), TEXT),
        *([st.builds(lambda at: Part("image", image=at), st.integers(0, len(images) - 1))]
          if images else []),
    )  # fmt: skip
    turns = tuple(
        Turn(draw(st.sampled_from(["user", "assistant", "system"])), tuple(content))
        for content in draw(st.lists(st.lists(parts, max_size=3), min_size=1, max_size=2))
    )
    model = ModelSetting(
        draw(st.sampled_from(["a", "b"])),
        draw(st.sampled_from(["", "1"])),
        draw(st.sampled_from([None, 0.0, 1.0])),
        max_tokens=draw(st.integers(1, 2)),
        extra=draw(st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 1), max_size=1)),
    )
    return model, Call(turns, images, draw(st.integers(0, 1)), draw(st.sampled_from([None, 1])))


def plain(model: ModelSetting, call: Call) -> Any:
    """What a request says, written another way than the key is."""
    turns = [
        (
            turn.role,
            [
                ("t", part.text) if part.type == "text" else ("i", call.images[part.image or 0])
                for part in turn.content
            ],
        )
        for turn in call.messages
    ]
    settings = (model.name, model.revision, model.temperature, model.top_p, model.max_tokens)
    return turns, settings, sorted(model.extra.items()), call.rollout, call.seed


@given(contents(), contents(), st.sets(st.integers(0, 9), max_size=2))
def test_keys_are_equal_exactly_when_content_is(
    one: tuple[ModelSetting, Call], other: tuple[ModelSetting, Call], taken: set[int]
) -> None:
    """The second is the first with up to two fields of another: mostly near misses."""
    settings = ("name", "revision", "temperature", "top_p", "max_tokens", "extra")
    names = [
        *((0, name) for name in settings),
        *((1, name) for name in ("rollout", "seed")),
    ]  # fmt: skip
    two = list(one)
    for at in taken:
        if at < len(names):
            side, name = names[at]
            two[side] = replace(two[side], **{name: getattr(other[side], name)})  # type: ignore[type-var]
        else:
            told = {"messages": other[1].messages, "images": other[1].images}
            two[1] = replace(two[1], **told)  # type: ignore[type-var]
    compare(one, (two[0], two[1]))  # type: ignore[arg-type]


def compare(one: tuple[ModelSetting, Call], two: tuple[ModelSetting, Call]) -> None:
    same = plain(*one) == plain(*two)
    assert (asked(one[1], one[0]).key == asked(two[1], two[0]).key) == same


@pytest.mark.parametrize(
    ("side", "change"),
    [
        (0, {"name": "b"}), (0, {"revision": "1"}), (0, {"temperature": 0.5}), (0, {"top_p": 0.5}),
        (0, {"max_tokens": 7}), (0, {"extra": {"x": 1}}),
        (1, {"rollout": 1}), (1, {"seed": 1}), (1, {"images": (PICTURES[1],)}),
        (1, {"messages": (Turn("user", (Part("text", "hi"), Part("image", image=0))),)}),
        (1, {"messages": (Turn("system", (Part("image", image=0), Part("text", "hi"))),)}),
    ],
    ids=str,
)  # fmt: skip
def test_each_field_alone_makes_another_key(side: int, change: dict[str, Any]) -> None:
    turn = Turn("user", (Part("image", image=0), Part("text", "hi")))
    one = (ModelSetting("a"), Call((turn,), (PICTURES[0],)))
    two: list[Any] = list(one)
    two[side] = replace(two[side], **change)
    assert asked(two[1], two[0]).key != asked(one[1], one[0]).key


@given(contents())
def test_a_key_is_that_of_an_equal_copy(one: tuple[ModelSetting, Call]) -> None:
    model, call = one
    copy = Call(tuple(replace(turn) for turn in call.messages), tuple(call.images), call.rollout,
                call.seed)  # fmt: skip
    told = replace(model, extra=dict(reversed(list(model.extra.items()))), max_tokens_field="other")
    assert asked(copy, told).key == asked(call, model).key


MODEL = ModelSetting("m")
ONE = asked(Call((Turn("user", (Part("text", "Hi"),)),), ()), MODEL)
BOUND = Bound(100, 2.0)


def test_a_row_is_there_before_its_request_and_ends_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        row = ledger.begin(ONE, MODEL, "test", "http://x", BOUND)
        assert ledger.state(ONE.key) == "pending" and ledger.spent().tokens == 100
        ledger.finish(row, Reply("answered", "Ho", prompt_tokens=1), Bound(7, 0.5), 0.1)
        assert ledger.spent().tokens == 7 and ledger.spent().money == 0.5
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            ledger.finish(row, Reply("refused"), BOUND, 0.1)
        reply = ledger.reply(ONE.key)
        assert reply and (reply.status, reply.text) == ("answered", "Ho")
        assert ledger.prompt(ONE.prompt_hash) == ONE.content


def test_rows_cannot_be_deleted_with_any_tool(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.begin(ONE, MODEL, "test", "http://x", BOUND)
    with sqlite3.connect(tmp_path / "l.sqlite") as plain_connection:
        with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            plain_connection.execute("DELETE FROM calls")
    plain_connection.close()


def test_what_was_open_is_lost_and_charged_at_its_most(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.begin(ONE, MODEL, "test", "http://x", BOUND)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.lost == 1 and ledger.state(ONE.key) == "lost"
        assert ledger.spent().tokens == 100
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.lost == 0, "told once"


def test_the_first_answer_stays_the_answer(tmp_path: Path) -> None:
    """A reply that comes twice (a repeat after a kill) changes nothing that was made of it."""
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for number, status in enumerate(("retryable", "answered", "answered", "truncated")):
            row = ledger.begin(ONE, MODEL, "test", "http://x", BOUND)
            ledger.finish(row, Reply(status, str(number)), BOUND, 0.0)  # type: ignore[arg-type]
        reply = ledger.reply(ONE.key)
        assert reply and reply.text == "1" and ledger.state(ONE.key) == "answered"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite"):
        with pytest.raises(UserError, match="is open in another process"):
            Ledger(tmp_path / "l.sqlite")
    Ledger(tmp_path / "l.sqlite").close()


def test_another_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    with pytest.raises(UserError, match="is a database, but no ledger"):
        Ledger(path)
    again = sqlite3.connect(path)
    assert again.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    again.close()


def test_parquet_has_every_row(tmp_path: Path) -> None:
    call = Call((Turn("user", (Part("image", image=0),)),), (PICTURES[0],), 3, 2**40)
    one = asked(call, MODEL)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        row = ledger.begin(one, MODEL, "test", "http://x", BOUND)
        told = Reply("answered", "ä", "hm", "stop", 1, 2, None, {"id": "x"})
        ledger.finish(row, told, Bound(3, 0.25), 0.5)
        ledger.begin(ONE, MODEL, "test", "http://x", BOUND)
        assert export(ledger, tmp_path / "calls.parquet") == 2
    first, second = pq.read_table(tmp_path / "calls.parquet").to_pylist()
    assert (first["key"], first["text"], first["thinking"]) == (one.key, "ä", "hm")
    assert first["images"] == [PICTURES[0]] and first["seed"] == 2**40
    assert json.loads(first["response"]) == {"id": "x"} and first["charged_money"] == 0.25
    assert second["status"] == "pending" and second["text"] is None
