"""Mathematics in a process that can be killed."""

import pytest

from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer
from pellucid.score import expression
from pellucid.score.base import UnreadableGold
from pellucid.score.grader import Grader, Undecided

TOWER = "$9^{9^{9^{9}}}$"


def right(text: str, gold: str, *aliases: str) -> bool | None:
    return expression.judge(text, Answer("expression", gold, aliases)).right


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        (r"\boxed{0.75}", r"\frac{3}{4}"),
        ("(x+1)^2", "x^2 + 2x + 1"),
        (r"So it is $2\sqrt{2}$.", r"$\sqrt{8}$"),
        (r"\{2, 1\}", r"\{1, 2\}"),
        (r"\boxed{\$10}", r"\$10"),
    ],
)
def test_equal(text: str, gold: str) -> None:
    assert right(text, gold) is True


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("x^2 + 2x + 2", "(x+1)^2"),
        ("[0, 9)", "(0, 9)"),
        ("words alone", "x + 1"),
        ("(" * 30 + "x+1" + ")" * 30, "1"),
        ("1+" * 5000 + "1", "5001"),
    ],
)
def test_not_equal(text: str, gold: str) -> None:
    assert right(text, gold) is False


def test_aliases_and_unreadable_golds() -> None:
    assert right("y + 1", "x + 1", "1 + y")
    with pytest.raises(UnreadableGold):
        right("x", " ")


def test_what_never_ends_is_undecided_and_a_lost_worker_is_replaced() -> None:
    grader = Grader()
    try:
        with pytest.raises(Undecided, match="CPU time"):
            grader.equal("$1$", TOWER, cpu_s=0.3)
        assert grader.equal("$2$", "$1+1$", cpu_s=5.0) is True
        assert grader.equal("$2$", "$3$", cpu_s=5.0) is False
        assert grader._worker is not None
        grader._worker.kill()
        grader._worker.wait()
        with pytest.raises(Undecided):
            grader.equal("$2$", "$2$", cpu_s=5.0)
        assert grader.equal("$2$", "$2$", cpu_s=5.0) is True
    finally:
        grader.close()


def test_undecided_is_neither_right_nor_wrong(rollout, monkeypatch) -> None:
    monkeypatch.setattr(expression, "CPU_S", 0.3)
    score = expression.SCORER(rollout(TOWER), Evidence(Answer("expression", "1")))
    assert (score.status, score.value) == ("undecided", None)
