"""Short texts: equal to the gold or an alias but for case, width, space and outer punctuation.

Articles, inner marks and word order count. Left out on purpose: synonyms and containment (a long
answer that merely mentions the gold is wrong).
"""

from pellucid.schema.record import Answer
from pellucid.score import extract
from pellucid.score.base import AnswerScorer, Judgement, UnreadableGold


def judge(text: str, gold: Answer) -> Judgement:
    """Compare the final answer, then the whole text, with the gold and its aliases.

    Texts longer than `extract.MAX_CHARS` are compared to the character.

    Raises:
        UnreadableGold: the gold is blank.
    """
    golds = (gold.gold.strip(), *(alias.strip() for alias in gold.aliases))
    if not golds[0]:
        raise UnreadableGold("the gold text is blank")
    found, whole = extract.final_answer(text), text.strip()
    if whole in golds:
        return Judgement(True, found.text, "the same text")
    short = len(whole) <= extract.MAX_CHARS
    # The end of a longer text is not the text.
    said = [found.text] if short or found.rule != "whole" else []
    said += [whole] if short else []
    tidied = {extract.tidy(candidate) for candidate in said}
    for candidate in golds:
        spellings = {extract.tidy(candidate), extract.tidy(extract.unwrap(candidate))}
        if len(candidate) <= extract.MAX_CHARS and spellings & tidied:
            return Judgement(True, found.text, f"equals {candidate[:100]!r}")
    return Judgement(False, found.text, f"is not {golds[0][:100]!r}")


SCORER = AnswerScorer("text", 1, dict, judge)
