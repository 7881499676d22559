"""Tasks of the user's own: a function makes the questions; rows keep them with their golds."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.eval.conftest import COUNT, question
from tests.unit.own_code import check_key, planned_work

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.eval.rescore import rescore
from pellucid.eval.rows import HEAD, load_rows
from pellucid.eval.run import evaluate
from pellucid.eval.tasks import items_of
from pellucid.flow.job import Work
from pellucid.flow.samples import sample
from pellucid.recipe.eval import PythonTask, StoreTask
from pellucid.recipe.own import OwnFunction
from pellucid.schema.record import Source
from pellucid.store import Store

CODE = """
def again(record, plus=0):
    n = int(record.answer.gold)
    return {"question": f"What is {n + plus}?", "answer": {"kind": "number", "gold": n + plus}}

def twice(record):
    n = int(record.answer.gold)
    if n % 2:
        return
    for more in (0, 1):
        yield {"question": f"What is {n + more}?", "system": "Count.", "images": [],
               "answer": {"kind": "text", "gold": str(n + more), "aliases": ["other"]}}

def nothing(record):
    return []
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def task(mine: Path, function: str, **told: Any) -> PythonTask:
    return PythonTask(source="set", path=f"{mine}:{function}", **told)


def test_what_it_asks_is_asked_word_for_word(options, stores: Mapping[str, Store], mine) -> None:
    told = options(tasks={"t": task(mine, "twice")})
    items = items_of(told, stores, "t")
    asked = {item.messages[1].text: item for item in items}
    assert sorted(asked) == sorted(f"What is {n}?" for n in range(COUNT))
    one, two = asked["What is 4?"], asked["What is 5?"]
    assert one.messages[0].role == "system" and one.messages[0].text == "Count."
    assert two.id == f"{one.id}.1" and one.id == f"t/{one.record.id}"
    assert two.record.answer.gold == "5" and two.record.answer.kind == "text"
    assert one.images == () and one.cluster == two.cluster, (
        "questions of a picture are no two draws"
    )
    # In training there is one record, number 20: two golds as often, the lesser is guessed.
    assert {items[0].guess, items[-1].guess} == {"20", None}


def test_pictures_stand_before_the_question_and_limits_only_add(options, stores, mine) -> None:
    few = items_of(options(tasks={"t": task(mine, "again", limit=4)}), stores, "t")
    more = items_of(options(tasks={"t": task(mine, "again", limit=7)}), stores, "t")
    assert {one.id for one in few} < {one.id for one in more} and len(more) == 7
    for item in few:
        assert [part.type for part in item.messages[0].content] == ["image", "text"]
        assert item.images == item.record.images[:1]
    store_few = items_of(options(tasks={"t": StoreTask(source="set", limit=4)}), stores, "t")
    assert {one.record.id for one in store_few} == {one.record.id for one in few}, "same records"


def test_rows_are_shown_and_scored_again_without_the_function(
    options, stores, table, mine: Path, tmp_path: Path
) -> None:
    told = options(tasks={"t": task(mine, "again", options={"plus": 1})})
    evaluate(told, stores, table(), "final", "0" * 64, tmp_path / "eval")
    rows = load_rows(tmp_path / "eval")
    assert rows and {row["scorer"] for row in rows} == {"number"}
    right = {row["gold"]: row["score"] for row in rows if row["mode"] == "nothink"}
    # The table answers even numbers rightly when it does not think, and breaks down on 9.
    assert {gold for gold, score in right.items() if score == 1} == {
        str(n) for n in range(1, COUNT + 1) if n % 2 == 0
    }
    shown = sample(rows[0], "final", stores["set"])
    assert shown.question == f"What is {rows[0]['gold']}?" and len(shown.images) == 1
    mine.unlink()
    rescore(tmp_path / "eval", stores, tmp_path / "again")
    assert load_rows(tmp_path / "again") == rows
    assert str(tmp_path) not in (tmp_path / "eval" / HEAD).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("1 / 0", "raised ZeroDivisionError on record"),
        ("'What?'", "wanted a mapping with question and answer"),
        ("{'answer': {'kind': 'text', 'gold': 'a'}}", "gave question=None, wanted a text"),
        ("{'question': 'a?', 'gold': 3}", "gave a field 'gold'; there are question, answer"),
        ("{'question': 'a?', 'answer': '3'}", "wanted kind (choice, "),
        (
            "{'question': 'a?', 'answer': {'kind': 'number', 'gold': 'x'}}",
            "wanted a number, as its",
        ),
        (
            "{'question': 'a?', 'answer': {'kind': 'text', 'gold': ' '}}",
            "wanted a text or a number",
        ),
        (
            "{'question': 'a?', 'answer': {'kind': 'text', 'gold': True}}",
            "wanted a text or a number",
        ),
        ("{'question': 'a?', 'answer': {'kind': 'box', 'gold': '[0, 0, 5, 1]'}}", "from 0 to 1 as"),
        ("{'question': 'a?', 'images': [1], 'answer': {'kind': 'text', 'gold': 'a'}}", "pictures"),
        ("{'question': 'a?', 'answer': {'kind': 'text', 'gold': 'a', 'aliases': 'b'}}", "aliases"),
        ("exit(0)", "raised SystemExit on record"),
        (r"{'question': '\ud800', 'answer': {'kind': 'text', 'gold': 'a'}}", "half a letter"),
        (r"{'question': 'a?', 'answer': {'kind': 'text', 'gold': '\ud800'}}", "half a letter"),
        ("None", "asks nothing about the test records of set"),
        ("{'question': 'a?', 'answer': {'kind': 'json', 'gold': '{}'}}", "no scorer checks"),
    ],
)
def test_what_is_no_question_is_refused_before_anything_is_asked(
    options, stores, mine: Path, body: str, says: str
) -> None:
    mine.write_text(f"def ask(record):\n    return {body}\n", encoding="utf-8")
    with pytest.raises(UserError) as raised:
        items_of(options(tasks={"t": task(mine, "ask")}), stores, "t")
    assert says in str(raised.value) and "eval.tasks.t" in str(raised.value)


def test_a_scorer_of_ones_own_judges_kinds_that_have_none(options, stores, mine: Path) -> None:
    body = "{'question': 'a?', 'answer': {'kind': 'json', 'gold': '{}'}}"
    same = "def same(answer, gold):\n    return answer == gold.gold\n"
    code = f"def ask(record):\n    return {body}\n{same}"
    mine.write_text(code, encoding="utf-8")
    own = OwnFunction(path=f"{mine}:same")
    items = items_of(options(tasks={"t": task(mine, "ask", scorer=own)}), stores, "t")
    assert len(items) == COUNT and items[0].scorer.name == "own"


TASK = """
eval:
  tasks:
    mine: {kind: python, path: "mine.py:ask", source: charts}
"""


def test_the_file_is_part_of_the_key_and_its_place_is_not(tmp_path: Path) -> None:
    code = "def ask(record):\n    return None\n"
    check_key(tmp_path, code, TASK, "eval.rl", "train.long")


def test_a_task_that_was_edited_after_planning_asks_nothing(tmp_path: Path) -> None:
    code = "def ask(record):\n    return None\n"
    work = planned_work(tmp_path / "one", code, TASK, "eval.rl")
    (tmp_path / "one" / "mine.py").write_text(code + "# edited\n", encoding="utf-8")
    with pytest.raises(UserError, match="was edited while the run was under way"):
        work(Work(tmp_path, {"rl": SimpleNamespace(path=tmp_path, hash="0")}))  # type: ignore[dict-item]


def test_questions_of_a_record_without_a_group_are_no_two_draws(tmp_path: Path, options) -> None:
    writer = store.Writer(tmp_path / "store")
    rows = [question(writer, n, source=Source("set", "test", n, "CC0-1.0")) for n in (2, 4)]
    writer.shard("all", rows)
    writer.finish()
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")
    told = options(tasks={"t": task(tmp_path / "mine.py", "twice")})
    items = items_of(told, {"set": store.open(tmp_path / "store")}, "t")
    assert len(items) == 4 and len({item.cluster for item in items}) == 2
