"""Contract tests for users: they pass what a run takes and list all that it would refuse."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pellucid import testing
from pellucid.schema.record import Answer

SEVEN = Answer("number", "7")


def brief(rollout, evidence, most=20):
    return 1.0 if len(rollout.answer or "") <= most else 0.0


def close(answer, gold, within=1.0):
    try:
        return abs(float(answer) - float(gold.gold)) <= within
    except ValueError:
        return None


def test_sound_code_passes(tmp_path: Path) -> None:
    # A record without gold is in no RL run.
    testing.check_reward(lambda r, e: 1.0 if r.answer == e.answer.gold else 0.0)
    testing.check_reward(brief, most=3)
    testing.check_scorer(close, right=[("8", SEVEN)], wrong=[("9", SEVEN), ("-7", SEVEN)])
    code = "def free(rollout, evidence):\n    return None if rollout.answer is None else 0.5\n"
    (tmp_path / "mine.py").write_text(code)
    testing.check_reward(f"{tmp_path}/mine.py:free")


@pytest.mark.parametrize(
    ("reward", "says"),
    [
        (lambda r, e: len(r.answer), "truncated: raised TypeError: object of type 'NoneType'"),
        (lambda r, e: None, "it says None of everything"),
        (lambda r, e: e.facts["bars"][0]["value"] / 7, "raised KeyError: 'bars'"),
        (lambda r, e: len(r.text) / 10, r"a sentence, gold a number: returned 2\.6, wanted"),
        (lambda r, e, seen=[]: seen.append(1) or 1 / len(seen), "and 0.5 when asked again"),
        (lambda r, e: float("nan"), "nan, wanted a number"),
        (lambda r, e: r.answer and float(r.answer.isdigit()), "'', wanted a number"),
        (
            lambda r, e: r.text.encode("latin-1") and 1.0,
            "foreign letters.*raised UnicodeEncodeError",
        ),
    ],
)
def test_a_reward_that_a_run_would_refuse_is_told_why(reward, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        testing.check_reward(reward)


def test_a_fault_that_is_met_often_is_told_once() -> None:
    with pytest.raises(AssertionError) as raised:
        testing.check_reward(lambda r, e: 2 if r.answer else "x" + 0)
    first, *faults = str(raised.value).splitlines()
    assert len(faults) == 2, faults
    assert all(line.endswith(" more)") for line in faults)
    counted = sum(1 + int(line.rsplit("(and ", 1)[1].split()[0]) for line in faults)
    assert first == f"<lambda>: {counted} faults"


@pytest.mark.parametrize(
    ("scorer", "cases", "says"),
    [
        (lambda a, g: float(a) == 7, {}, "a sentence, gold a number: raised ValueError"),
        (lambda a, g: a == g.gold, {"right": [("7.0", SEVEN)]}, "'7.0' with gold '7': False, wan"),
        (lambda a, g: True, {"wrong": [("8", SEVEN)]}, "'8' with gold '7': True, wanted 0"),
        (lambda a, g: 2, {}, "returned 2, wanted a number from 0 to 1"),
        (lambda a, g: 1 / (a != "8"), {"right": [("8", SEVEN)]}, "'8' with gold '7': raised Zero"),
    ],
)
def test_a_scorer_that_a_run_would_refuse_is_told_why(scorer, cases, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        testing.check_scorer(scorer, **cases)


def row(**changes: object) -> dict[str, object]:
    turns = [{"from": "human", "value": "2 + 3?"}, {"from": "gpt", "value": "5"}]
    return {"conversations": turns, **changes}


def test_rows_are_what_an_import_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9)).save("red.png")
    (tmp_path / "rows.json").write_text(json.dumps([row(), row(image="red.png")]))

    def rows(inputs):
        yield from json.loads(Path(inputs[0]).read_text())

    assert testing.check_rows(rows, images=".", inputs=[tmp_path / "rows.json"]) == 2


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (lambda: [row(), row(image="no.png")], r"row 1: 'no\.png' does not exist"),
        (lambda: [{"text": "?"}], "row 0: None is no conversation"),
        (lambda: [], "it gave no row"),
        (lambda seen=[]: [row(id=str(len(seen)))] + (seen.append(1) or []), "gave other rows"),
    ],
)
def test_rows_that_an_import_would_refuse_are_told_why(tmp_path: Path, rows, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        testing.check_rows(rows, images=tmp_path)


def test_the_shipped_rewards_pass_their_own_contract() -> None:
    from pellucid.recipe.rl import Overlong, Rewards
    from pellucid.rl.rewards import TERMS

    options = Rewards(overlong=Overlong(buffer_tokens=8))
    for name in sorted(set(TERMS) - {"overlong", "length"}):
        testing.check_reward(lambda r, e, n=name: TERMS[n](r, e, options).value)


def wide(record, images):
    return {"wide": images[0].width > images[0].height, "of": len(images)} if images else None


def golds(record, most=3):
    if record.answer is not None:
        yield {"question": "What is it?", "answer": {"kind": "text", "gold": record.answer.gold}}


def whole(width, height, patch_px, side=4):
    return [((0, 0, width, height), (side * patch_px, side * patch_px))]


def test_sound_operators_tasks_and_strategies_pass() -> None:
    testing.check_op(wide, gives={"wide": "flag", "of": "number"})
    assert testing.check_task(golds) == 10, "of eleven records one has no gold"
    tokens = testing.check_images(whole, max_tokens=16)
    assert set(tokens.values()) == {16} and (1, 8192) in tokens


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: testing.check_op(wide), "a picture: columns that were not declared"),
        (lambda: testing.check_op(lambda r, i: i[0].width), "no picture: raised IndexError"),
        (lambda: testing.check_op(lambda r, i: "x"), "value='x', wanted a finite number"),
        (
            lambda: testing.check_op(lambda r, i, seen=[]: seen.append(1) or len(seen)),
            "a picture: {'value': 1.0}, and {'value': 2.0} when asked again",
        ),
        (lambda: testing.check_task(lambda r: r.answer.gold), "no gold: raised AttributeError"),
        (lambda: testing.check_task(lambda r: [{"question": ""}]), "gave question='', wanted"),
        (
            lambda: testing.check_images(whole, max_tokens=15),
            "1x1: 16 patches, more than max_tokens=15",
        ),
        (
            lambda: testing.check_images(
                lambda w, h, p: [((0, 0, w, h), (w // p * p, h // p * p))], max_tokens=10**6
            ),
            "1x1: the size .0, 0., wanted whole patches of 16 pixels",
        ),
        (
            lambda: testing.check_images(
                lambda w, h, p, seen=[]: seen.append(1) or whole(w, h, p, 1 + len(seen) % 2),
                max_tokens=9,
            ),
            "other parts when asked again",
        ),
    ],
)
def test_what_a_run_would_refuse_is_listed(check, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check()


def test_the_records_of_a_store_are_looked_at(tmp_path: Path) -> None:
    from tests.unit.eval.conftest import COUNT, build_store

    build_store(tmp_path / "store")
    assert testing.check_task(golds, store=tmp_path / "store") == COUNT
    with pytest.raises(AssertionError, match="it asks nothing; a run refuses"):
        testing.check_task(lambda r: None, store=tmp_path / "store")
    testing.check_op(lambda r, i: len(i), store=tmp_path / "store")
    with pytest.raises(AssertionError, match="record [0-9a-f]+: raised ZeroDivisionError"):
        testing.check_op(lambda r, i: 1 / 0, store=tmp_path / "store")
