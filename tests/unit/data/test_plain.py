"""A plain row is read as any other: what the quick way accepts is what the whole way gives."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.drafts import Plan, _table
from pellucid.data.files import Given
from pellucid.data.files.json_ import Line
from pellucid.data.llava import RowFault, parse_row
from pellucid.data.llava.plain import plain, plain_line
from pellucid.data.llava.read import raw_json
from pellucid.data.rows import Rows, parse
from pellucid.recipe.rows import LlavaJsonSource
from pellucid.schema.record import LineageStep, hash_content
from pellucid.store import arrow
from pellucid.store.pixels import Examined

BITS = [
    "<image>",
    "<think>",
    "</think>",
    "<nothink>",
    "\n",
    "\r",
    " ",
    "\u00a0",
    "a",
    "é",
    '"',
    "\\",
]
TEXTS = st.lists(st.sampled_from([*BITS, "\x00", "\x7f", "\u2028", "😀", "\ud800"]), max_size=6)
SAID = TEXTS.map("".join)
NAMES = st.sampled_from(["a.png", "b/c.jpg", "é.png", ""])
TURNS = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "user", "assistant", "system", "x"]), "value": SAID},
    optional={"weight": st.just(1.0), "mode": st.none()},
)
PAIRS = st.tuples(SAID, SAID).map(
    lambda said: [{"from": "human", "value": said[0]}, {"from": "gpt", "value": said[1]}]
)
OWN = {
    "id": st.one_of(st.integers(), SAID, st.floats(allow_nan=False, allow_infinity=False)),
    "image": st.one_of(st.none(), NAMES, st.lists(NAMES, max_size=3)),
    "answer": st.one_of(st.none(), st.just({"kind": "number", "gold": "4"})),
    "task": st.one_of(st.none(), st.just("ocr")),
    "split": st.just("test"),
    "x": st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), SAID),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(SAID, inner)),
        max_leaves=4,
    ),
}
ROWS = st.fixed_dictionaries(
    {
        "conversations": st.one_of(
            st.lists(PAIRS, min_size=1, max_size=2).map(lambda pairs: sum(pairs, [])),
            st.lists(TURNS, max_size=3),
        )
    },
    optional=OWN,
)
STEP = LineageStep("import.test", 1, "h", ("p",))
FACTS = {"a.png": Examined("1" * 64, "png", 3, 4, "2" * 64, "3" * 64),
         "b/c.jpg": Examined("4" * 64, "jpg", 5, 6, "7" * 64, "8" * 64),
         "é.png": Examined("9" * 64, "png", 7, 8, "a" * 64, "b" * 64)}  # fmt: skip


def table(plan: Plan, value: Any, quick: bool) -> pa.Table:
    return _table(plan, [parse(plan.rows, 7, Given(value), quick)], FACTS)


def plan_of() -> Plan:
    here = Path("/nowhere")
    options = LlavaJsonSource(path="x", dataset="d", licence="MIT", task="t", revision="r")
    return Plan(Rows("n", here, partial(iter, ()), STEP, {}), options, 0, here, here, here)


@given(ROWS)
def test_the_quick_way_gives_the_records_of_the_whole_way(row: dict[str, Any]) -> None:
    try:
        whole = parse_row(row)
    except RowFault:
        assert plain(row) is None or not _written(row)
        return
    found = plain(row)
    if found is not None:
        assert found.images == whole.images and found.asked == whole.asked
    plan = plan_of()
    quick = table(plan, row, quick=True)
    assert quick.equals(table(plan, row, quick=False))
    (record,) = arrow.from_table(quick.select(arrow.RECORDS.names))
    assert record.content_hash == hash_content(record.messages, record.images, record.answer)


def _written(row: dict[str, Any]) -> bool:
    try:
        return bool(raw_json(row))
    except RowFault:
        return False


@given(ROWS, st.booleans(), st.sampled_from([",", ", ", " ,\t"]), st.sampled_from([":", " : "]))
def test_a_line_is_what_the_whole_reader_gives(
    row: dict[str, Any], ascii_: bool, comma: str, colon: str
) -> None:
    text = json.dumps(row, ensure_ascii=ascii_, separators=(comma, colon))
    data = text.encode("utf-8", "surrogatepass") + b"\n"
    found = plain_line(data)
    if found is not None:
        value = Line(Path("rows.jsonl"), data, 1, 0).parsed()
        assert json.dumps(found[0]) == json.dumps(value) and found[1] == raw_json(value)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1, "id": 1}',
        '{"conversations": [{"from": "human", "from": "human", "value": "q"}]}',
        '{"a\\u003a": 1, "a:": 2}',
        '{"a": "\\u003a", "a": "\\u003a"}',
        '{"a": "\\u003A", "a": "\\u003A"}',
        '{"a": NaN}',
        '{"a": 1e400}',
        '{"a": 1.0}',
        '{"a": -0}',
        '{"a": 9223372036854775808}',
        '{"a": "\\ud800"}',
        '{"a": "\t"}',
        '{"a": 1} x',
        '{"a": 1',
        '{"a": {"b": 1}}',
        "[1]",
        "\ufeff{}",
    ],
)
def test_what_readers_may_take_in_another_way_is_left_to_the_whole_reader(line: str) -> None:
    found = plain_line(line.encode())
    assert found is None or line == '{"a": -0}' and found == ({"a": 0}, b'{"a":0}')


def test_most_rows_are_plain() -> None:
    said = [{"from": "human", "value": "<image>\nHow many?"}, {"from": "gpt", "value": "Two: 2."}]
    row = {"id": "1", "image": "a.png", "model": "g", "conversations": said}
    found = plain_line(json.dumps(row).encode())
    assert found is not None and found[0] == row
    read = plain(row)
    assert read is not None and read.parts == [0, "How many?", "Two: 2."]
    said[0]["value"] = "How many?"
    read = plain(row)
    assert read is not None and read.parts == [0, "How many?", "Two: 2."] and read.counts == [2, 1]
    for name, value in {"split": "test", "mode": "nothink", "answer": {}, "licence": "MIT"}.items():
        assert plain({**row, name: value}) is None


@pytest.mark.parametrize(
    "said",
    [
        ["q"],
        ["q", "a", "q"],
        ["q", ""],
        [" ", "a"],
        ["q", "<think>t</think>a"],
        ["q", "a</think>"],
        ["q", "<nothink>a"],
        ["<image>", "a"],
        ["q", ["a"]],
        ["q", None],
    ],
)
def test_turns_that_may_be_faulty_or_more_than_texts_are_not_plain(said: list[Any]) -> None:
    turns = [{"from": ("human", "gpt")[at % 2], "value": one} for at, one in enumerate(said)]
    assert plain({"conversations": turns}) is None


@pytest.mark.parametrize(
    "row",
    [
        {"image": ""},
        {"image": ["a.png", ""]},
        {"image": ["a.png", None]},
        {"image": 3},
        {"conversations": []},
        {"conversations": [[]]},
        {"conversations": "q"},
        {"conversations": [{"from": "gpt", "value": "q"}, {"from": "human", "value": "a"}]},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "text": "a"}]},
        {"conversations": [{"from": "human", "value": "q"}, {"from": ["gpt"], "value": "a"}]},
    ],
)
def test_rows_that_may_be_faulty_are_not_plain(row: dict[str, Any]) -> None:
    said = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    assert plain({"conversations": said}) is not None
    assert plain({"conversations": said, **row}) is None
