"""The verdict on one training record: which evaluation record it repeats, and in what.

`full`: picture, question and gold. `image+question`: all but the gold. `text only`: question and
gold without the picture. `image only`: the picture with another question. Leaves out on purpose:
what to do about it; a mix decides by class.
"""

from typing import Any, NamedTuple

from pellucid.data.contamination.index import EvalIndex, Row
from pellucid.data.contamination.questions import Frequencies, same_gold
from pellucid.data.questions.decide import Decide
from pellucid.data.questions.same import NOTHING, Likeness, stands_in
from pellucid.data.questions.template import same_options
from pellucid.data.questions.wording import wording

VERDICTS = ("full", "image+question", "text only", "image only")
"""Gravest first."""
CONTAINED = 0.6
"""Least share of an evaluation question's own runs that a longer text must hold."""
_SHOWN = 240


class Match(NamedTuple):
    """What was found about one record."""

    verdict: str
    with_: Row
    evidence: dict[str, Any]


def best_match(row: Row, index: EvalIndex, words: Frequencies, decide: Decide) -> Match | None:
    """The gravest match of a record; None when it is clean.

    Among equals the most similar, then the least id.
    """
    inside = index.contained(row)
    pictured = index.by_picture(row)
    numbers = sorted(pictured | index.by_text(row, words) | inside.keys())
    others = [(number, index.rows[number]) for number in numbers]
    others = [(number, other) for number, other in others if other.id != row.id]
    said = decide([(row.asked.text, other.asked.text) for _, other in others])
    found = []
    for (number, other), alike in zip(others, said, strict=True):
        alike = alike if same_options(row.asked.options, other.asked.options) else NOTHING
        held = inside.get(number, 0.0)
        if held and not stands_in(wording(other.asked.text), wording(row.asked.text)):
            held = 0.0
        gold = same_gold(row.asked, other.asked)
        verdict = _verdict(number in pictured, alike, held, gold, index.templated(other))
        if verdict:
            rank = VERDICTS.index(verdict), -max(alike.share, held), other.id
            found.append((rank, verdict, other, alike, held, gold))
    if not found:
        return None
    _, verdict, other, alike, held, gold = min(found, key=lambda one: one[0])
    return Match(verdict, other, _evidence(row, other, alike, held, gold))


def _verdict(picture: bool, alike: Likeness, held: float, gold: bool, templated: bool) -> str:
    """The class of a pair; empty for none."""
    asked = alike.same
    if picture:
        return "full" if asked and gold else "image+question" if asked else "image only"
    if not gold or templated:
        return ""
    return "text only" if asked or held >= CONTAINED else ""


def _evidence(row: Row, other: Row, alike: Likeness, held: float, gold: bool) -> dict[str, Any]:
    clusters = {cluster: sha256 for cluster, sha256 in other.pictures}
    shared = [[sha256, clusters[name]] for name, sha256 in row.pictures if name in clusters]
    return {
        "images": shared,
        "question": row.text[:_SHOWN],
        "eval_question": other.text[:_SHOWN],
        "gold": row.gold[:_SHOWN],
        "eval_gold": other.gold[:_SHOWN],
        "same_gold": gold,
        "similarity": round(alike.share, 4),
        "contained": round(held, 4),
        "words": list(alike.common),
    }
