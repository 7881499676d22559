"""Rewards of the user's own: a function in a file, hashed, checked, and part of the key of RL."""

from pathlib import Path

import pytest
from tests.unit.own_code import planned_slice

from pellucid.base.errors import UserError
from pellucid.recipe import load
from pellucid.recipe.rl import OwnReward, Rewards
from pellucid.rl.rewards import own_hashes, own_terms, reward
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.schema.rollout import Rollout

CODE = """
def brief(rollout, evidence, most=20):
    return 1.0 if len(rollout.answer) <= most else 0.25

def silent(rollout, evidence):
    return None

def wild(rollout, evidence):
    return 3

def broken(rollout, evidence):
    return 1 / 0
"""
RIGHT = Evidence(Answer("number", "7"), {}, max_new_tokens=8)


def said(text: str) -> Rollout:
    ids, chances = (5, 2), (-1.0, -1.0)
    written = f"<nothink>{text}"
    return Rollout(
        "r1", "nothink", "nothink", "", 3, ids, chances, written, None, text, "answered", "stop", 0
    )


def options(folder: Path, function: str, **named: object) -> Rewards:
    path = folder / "mine.py"
    if not path.exists():
        path.write_text(CODE, encoding="utf-8")
    own = OwnReward(path=f"{path}:{function}", weight=0.5, **named)  # type: ignore[arg-type]
    return Rewards(accuracy=0.5, format=0.0, own={"mine": own})


def test_it_is_paid_with_its_weight_and_its_options(tmp_path: Path) -> None:
    rewards = options(tmp_path, "brief", options={"most": 1})
    own = own_terms(rewards)
    assert reward(said("7"), RIGHT, rewards, own).total == 0.5 * 1 + 0.5 * 1
    assert reward(said("seven"), RIGHT, rewards, own).total == 0.5 * 0 + 0.5 * 0.25
    assert reward(said("7"), RIGHT, rewards, own).scores["mine"].value == 1.0


def test_what_it_cannot_say_is_unscored_and_the_rollout_does_not_count(tmp_path: Path) -> None:
    rewards = options(tmp_path, "silent")
    found = reward(said("7"), RIGHT, rewards, own_terms(rewards))
    assert found.total is None and found.scores["mine"].status == "unscored"


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("wild", r"rl\.rewards\.own\.mine='wild' returned 3 \(rollout r1\); return a number"),
        ("broken", r"own\.mine='broken' raised ZeroDivisionError: division by zero \(rollout r1\)"),
    ],
)
def test_a_function_that_misbehaves_is_one_clear_error(
    tmp_path: Path, function: str, says: str
) -> None:
    rewards = options(tmp_path, function)
    with pytest.raises(UserError, match=says):
        reward(said("7"), RIGHT, rewards, own_terms(rewards))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("mine.py", "names no function; write file.py:function"),
        ("none.py:brief", "names a file that is not there"),
        ("mine.py:breif", "has no function 'breif'; did you mean 'brief'"),
        ("bad.py:brief", "cannot be run: SyntaxError"),
    ],
)
def test_a_path_that_leads_nowhere(tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "bad.py").write_text("def brief(:", encoding="utf-8")
    own = OwnReward(path=str(tmp_path / path), weight=1)
    with pytest.raises(UserError, match=says):
        own_terms(Rewards(own={"mine": own}))


def test_an_option_that_it_does_not_take_shows_when_the_run_is_planned(tmp_path: Path) -> None:
    says = (
        r"mine\.options='brief' cannot be called .*'moost'; it is brief\(rollout, evidence, most=20"
    )
    with pytest.raises(UserError, match=says):
        own_hashes(options(tmp_path, "brief", options={"moost": 1}))


def test_a_shipped_name_is_taken(tmp_path: Path) -> None:
    path = f"{tmp_path}/mine.py:brief"
    with pytest.raises(UserError, match="'length' is the name of a shipped term"):
        load("smoke", [f"rl.rewards.own={{length: {{path: '{path}', weight: 1}}}}"])


def test_an_edit_while_the_run_is_under_way_is_refused(tmp_path: Path) -> None:
    rewards = options(tmp_path, "brief")
    planned = own_hashes(rewards)
    assert own_terms(rewards, planned)["mine"].hash == planned["mine"]
    (tmp_path / "mine.py").write_text(CODE + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="was edited while the run was under way; run it again"):
        own_terms(rewards, planned)


def test_code_and_options_are_part_of_the_key_and_the_place_is_not(tmp_path: Path) -> None:
    def key(folder: Path, code: str = CODE, most: int = 20) -> object:
        own = f"{{path: 'mine.py:brief', weight: 0.5, options: {{most: {most}}}}}"
        return planned_slice(folder, code, f"rl: {{rewards: {{own: {{mine: {own}}}}}}}", "rl")

    first = key(tmp_path / "a")
    assert key(tmp_path / "b") == first
    assert key(tmp_path / "a", CODE + "\n# changed\n") != first
    assert key(tmp_path / "a", most=21) != first
