"""A scorer of the user's: a function of one answer and its gold, in a file of theirs.

    def close(answer, gold, within=1):
        return answer.strip()[:within] == gold.gold[:within]

It returns whether the answer is right, or a number in [0, 1], or None for "cannot say", which is
undecided and never 0. An answer on which it raises is undecided too, with the reason in its row: an
evaluation is not lost for one odd answer. What all scorers share stays: a truncated, malformed or
empty answer is wrong, a failed rollout unscored. Left out on purpose: a bound on the function's
time.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.own import FAILS, own_code, share, takes
from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Checked, Judgement

VERSION = 1
NAME = "own"


def own_scorer(
    field: str, path: str, options: Mapping[str, Any], golds: Iterable[Answer] = ()
) -> Checked:
    """The scorer that a function makes; its hash is of the file, the function and the options.

    Args:
        field: where the recipe names it, for messages.
        path: `file.py:function`.
        options: keyword arguments of the function.
        golds: it is tried on these as answers to themselves, so that a broken one shows before
            anything is asked.

    Raises:
        UserError: there is no such file or function, the file cannot be run, or the function
            cannot be called on a gold.
    """
    code = own_code(f"{field}.path", path)
    name = path.rpartition(":")[2]
    takes(f"{field}.options", name, code, 2, options)
    told = {"code": code.hash, "function": name, "options": dict(options)}
    for gold in golds:
        _, fault = _call(code.function, options, gold.gold, gold)
        if fault:
            rule = f"{fault} (answer and gold {gold.gold[:80]!r})"
            raise UserError(Problem(field, name, rule, "mend the function"))

    def judge(text: str, gold: Answer) -> Judgement:
        value, fault = _call(code.function, options, text, gold)
        return Judgement(value, text, fault or ("it cannot say" if value is None else ""))

    return AnswerScorer(NAME, VERSION, lambda: told, judge)


def _call(
    function: Callable[..., Any], options: Mapping[str, Any], text: str, gold: Answer
) -> tuple[float | None, str]:
    """What the function says of an answer, and what is wrong with that; empty when nothing is."""
    try:
        said = function(text, gold, **options)
    except FAILS as error:
        return None, f"raised {type(error).__name__}: {error}"[:300]
    try:
        return share(said), ""
    except ValueError as error:
        return None, f"{error}; return True, False, a number from 0 to 1, or None"
