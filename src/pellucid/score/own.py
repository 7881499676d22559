"""A scorer of the user's: a function of one answer and its gold, in a file of theirs.

    def close(answer, gold, within=1.0):
        return abs(float(answer) - float(gold.gold)) <= within

It returns whether the answer is right, or a number in [0, 1], or None for "cannot say", which is
undecided and never 0. What all scorers share stays: a truncated, malformed or empty answer is
wrong, a failed rollout unscored. Left out on purpose: a bound on the function's time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.own import code_hash, function_of
from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Checked, Judgement

VERSION = 1
NAME = "own"


def own_scorer(field: str, path: str, options: Mapping[str, Any]) -> Checked:
    """The scorer that a function makes; its hash is of the file, the function and the options.

    Args:
        field: where the recipe names it, for messages.
        path: `file.py:function`.
        options: keyword arguments of the function.

    Raises:
        UserError: there is no such file or function, or the file cannot be run.
    """
    function = function_of(f"{field}.path", path)
    told = {
        "code": code_hash(f"{field}.path", path),
        "function": path.rpartition(":")[2],
        "options": dict(options),
    }

    def judge(text: str, gold: Answer) -> Judgement:
        return Judgement(_said(field, function, options, text, gold), text, "its own rule")

    return AnswerScorer(NAME, VERSION, lambda: told, judge)


def _said(
    field: str, function: Callable[..., Any], options: Mapping[str, Any], text: str, gold: Answer
) -> float | None:
    """What the function says of an answer.

    Raises:
        UserError: it raises, or what it says is neither None nor a number in [0, 1].
    """
    name = function.__name__
    try:
        said = function(text, gold, **options)
    except Exception as error:
        rule = f"raised {type(error).__name__}: {error} (answer {text[:80]!r}, gold {gold.gold!r})"
        raise UserError(Problem(field, name, rule, "mend the function")) from error
    if said is None or (isinstance(said, (int, float)) and 0 <= said <= 1):
        return said
    rule = f"returned {said!r} (answer {text[:80]!r}, gold {gold.gold!r})"
    fix = "return True, False, a number from 0 to 1, or None"
    raise UserError(Problem(field, name, rule, fix))
