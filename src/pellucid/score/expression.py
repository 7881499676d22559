r"""Mathematics: equal as math-verify (and sympy below it) understands the two expressions.

The comparison runs in a worker process with a budget of CPU time; when that is used up the score is
undecided, never wrong. What is longer or nested deeper than any answer needs is wrong without
asking. Left out on purpose: a string rule for machines without sympy (a second way to be right).
"""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pellucid.schema.record import Answer
from pellucid.score.base import AnswerScorer, Judgement, UnreadableGold
from pellucid.score.extract import final_answer, unwrap
from pellucid.score.grader import GRADER, Undecided

CPU_S = 5.0
"""CPU time of one comparison, in seconds."""
MAX_ANSWER_CHARS = 400
MAX_DEPTH = 10

_MARKED = re.compile(r"(?<!\\)\$|\\\(|\\\[|\\boxed\b")


def judge(text: str, gold: Answer) -> Judgement:
    """Compare the final answer with the gold, then with each alias.

    Raises:
        UnreadableGold: the gold holds no mathematics.
    """
    if not gold.gold.strip():
        raise UnreadableGold("the gold expression is blank")
    said = final_answer(text).text
    if not said:
        return Judgement(False, said, "the final answer is empty")
    if len(said) > MAX_ANSWER_CHARS:
        return Judgement(False, said, f"is longer than {MAX_ANSWER_CHARS} characters")
    if _depth(said) > MAX_DEPTH:
        return Judgement(False, said, f"brackets are nested deeper than {MAX_DEPTH}")
    try:
        return _compare(said, gold)
    except Undecided as error:
        return Judgement(None, said, f"undecided: {error}")


def _compare(said: str, gold: Answer) -> Judgement:
    for spelt in (gold.gold, *gold.aliases):
        verdict = GRADER.equal(_marked(unwrap(spelt)), _marked(said), CPU_S)
        if verdict is None and spelt is gold.gold:
            raise UnreadableGold(f"the gold {spelt[:100]!r} is no expression")
        if verdict:
            return Judgement(True, said, f"equals {spelt[:100]}")
    return Judgement(False, said, f"does not equal {gold.gold[:100]}")


def _marked(text: str) -> str:
    """The text as LaTeX between dollars, unless it marks its mathematics itself."""
    return text if _MARKED.search(text) else f"${text}$"


def _depth(text: str) -> int:
    """How deep brackets of any kind are nested."""
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}" and depth > 0)
        deepest = max(deepest, depth)
    return deepest


def _options() -> Mapping[str, Any]:
    return {
        "cpu_s": CPU_S,
        "max_answer_chars": MAX_ANSWER_CHARS,
        "max_depth": MAX_DEPTH,
        "math-verify": version("math-verify"),
        "sympy": version("sympy"),
    }


SCORER = AnswerScorer("expression", 1, _options, judge)
