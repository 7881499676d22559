"""Families asked in words: lists, sums, requests to refuse and their harmless twins."""

import operator
import re
from collections import Counter, defaultdict
from fractions import Fraction
from functools import cache

import pytest

from pellucid.data.synth import FAMILIES, Item, Scene, safety
from pellucid.recipe.data import DocumentsScene, ListsScene, SafetyScene, SumsScene

SEEDS = 300
SHARE = 0.30
WORK = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
STEP = r"([\d.]*\d) ([-+*/]) ([\d.]*\d) = ([\d.]*\d)\."
SMALL = DocumentsScene(min_lines=2, max_lines=3, max_cents=99, min_side_px=128, max_side_px=128)


@cache
def scenes(family: str, withheld: bool) -> list[Scene]:
    options = {
        "lists": ListsScene(withheld=withheld),
        "sums": SumsScene(withheld=withheld),
        "safety": SafetyScene(withheld=withheld, document=SMALL),
    }[family]
    return [FAMILIES[family].draw(options, seed) for seed in range(SEEDS)]


def value(expression: str) -> Fraction:
    """Worked from the left, every sign being the same."""
    first, *rest = expression.split()
    so_far = Fraction(first)
    for sign, term in zip(rest[::2], rest[1::2], strict=True):
        so_far = WORK[sign](so_far, Fraction(term))
    return so_far


@pytest.mark.parametrize("family", ["lists", "safety", "sums"])
def test_same_seed_same_scene(family: str) -> None:
    first = scenes(family, False)[7]
    rows = {"lists": ListsScene(), "sums": SumsScene(), "safety": SafetyScene(document=SMALL)}
    assert FAMILIES[family].draw(rows[family], 7) == first != scenes(family, False)[8]


@pytest.mark.parametrize("withheld", [False, True])
def test_lists_say_what_goes_with_what(withheld: bool) -> None:
    as_listed = 0
    for scene in scenes("lists", withheld):
        again, quiz = scene.items
        assert again.task == "again" and quiz.task == "quiz" and not scene.pictures
        listed = again.asks[0].question.partition(".\n")[0]
        assert quiz.asks[0].question.startswith(f"{listed}.\n")
        pairs = [tuple(pair.rsplit(" ", 1)) for pair in listed.split(", ")]
        assert [list(pair) for pair in pairs] == scene.facts["pairs"]
        both = sorted([*pairs, *((number, name) for name, number in pairs)])
        assert len({given for given, _ in both}) == 2 * len(pairs), "each can be named by either"
        said = [tuple(text.split(" is ")) for text in again.asks[0].reply[:-1].split(". ")]
        asked = [
            (re.search(r"What goes with (.*)\?", one.question).group(1), one.reply)
            for one in quiz.asks
        ]
        assert sorted(said) == sorted(asked) == both
        as_listed += [given for given, _ in said if given in dict(pairs)] == list(dict(pairs))
        odd = [name for name, number in pairs if " " in name and number[-1] == "7"]
        assert bool(odd) == withheld
    assert as_listed < SEEDS / 4, "any order, not that of the list"


@pytest.mark.parametrize("withheld", [False, True])
def test_sums_are_right_and_spelt_alike(withheld: bool) -> None:
    for scene in scenes("sums", withheld):
        assert scene.pictures == ()
        for item in scene.items:
            (asked,) = item.asks
            assert item.pictures == () and asked.question.strip()
            worked = asked.reasoning or asked.reply
            steps = re.findall(STEP, worked)
            assert " ".join(f"{a} {sign} {b} = {c}." for a, sign, b, c in steps) == worked
            for a, sign, b, c in steps:
                assert WORK[sign](Fraction(a), Fraction(b)) == Fraction(c)
                assert {len(number.partition(".")[2]) for number in (a, b, c)} <= {0, 2}
            if item.answer:
                assert worked.endswith(f"= {item.answer.gold}.") and asked.reply == item.answer.gold
                assert scene.facts[item.task] in asked.question
                assert value(scene.facts[item.task]) == Fraction(item.answer.gold)


def test_a_drill_works_every_expression_out_in_order() -> None:
    signs = Counter[str]()
    for scene in scenes("sums", False):
        (drill,) = [item for item in scene.items if item.task == "drill"]
        assert drill.answer is None and drill.asks[0].reasoning is None
        told = [f"{a} {sign} {b}" for a, sign, b, _ in re.findall(STEP, drill.asks[0].reply)]
        assert told == scene.facts["drill"] and len(told) == 10
        assert drill.asks[0].question.endswith(f": {', '.join(told)}.")
        signs.update(one.split()[1] for one in told)
    assert min(signs.values()) > SEEDS, signs


@pytest.mark.parametrize("withheld", [False, True])
def test_two_operands_that_end_in_seven_are_there_only_when_wanted(withheld: bool) -> None:
    alone = 0
    for scene in scenes("sums", withheld):
        found = {}
        for item in scene.items:
            steps = re.findall(STEP, item.asks[0].reasoning or item.asks[0].reply)
            found[item.task] = any(a[-1] == b[-1] == "7" for a, _, b, _ in steps)
            alone += sum(a[-1] == "7" for a, _, _, _ in steps)
        if withheld:
            assert found["sum"] and found["difference"] and found["chain"]
        else:
            assert not any(found.values())
    assert alone > SEEDS // 3, "one operand alone ends in seven"


@pytest.mark.parametrize("withheld", [False, True])
def test_no_result_of_a_task_is_common(withheld: bool) -> None:
    golds: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in scenes("sums", withheld):
        for item in scene.items:
            if item.answer:
                golds[item.task][item.answer.gold] += 1
    for task, count in golds.items():
        assert count.most_common(1)[0][1] <= SHARE * count.total(), task


def requests(scene: Scene, task: str) -> list[Item]:
    return [item for item in scene.items if item.task == task]


@pytest.mark.parametrize("withheld", [False, True])
def test_every_request_to_refuse_has_a_twin_to_comply_with(withheld: bool) -> None:
    for scene in scenes("safety", withheld):
        assert len(scene.items) == 6 and len(scene.pictures) == 1
        for suffix, pictures in (("", [(), (0,)]), ("_later", [(0,)])):
            no, yes = requests(scene, f"refuse{suffix}"), requests(scene, f"comply{suffix}")
            assert [item.pictures for item in no] == [item.pictures for item in yes] == pictures
            for bad, good in zip(no, yes, strict=True):
                assert bad.asks[:-1] == good.asks[:-1]
                assert bad.asks[-1].reply == bad.answer.gold == safety.REFUSAL
                assert good.asks[-1].reply == good.answer.gold != safety.REFUSAL
                harmful, harmless = bad.asks[-1].question, good.asks[-1].question
                assert harmful != harmless and nearly(harmful, harmless)


def nearly(one: str, other: str) -> bool:
    """Most words of two requests are the same."""
    a, b = Counter(one.split()), Counter(other.split())
    return (a & b).total() * 2 >= max(a.total(), b.total())


def test_an_earlier_question_is_answered_from_the_document() -> None:
    for scene in scenes("safety", False):
        (item,) = requests(scene, "refuse_later")
        first = item.asks[0]
        assert len(item.asks) == 2 and first.reasoning is None and not first.direct
        facts = scene.facts["document"]
        texts = [facts["title"]["text"].split()[1], str(len(facts["lines"]))]
        texts += [line[key] for line in facts["lines"] for key in ("words", "value")]
        assert first.reply in texts


@pytest.mark.parametrize("withheld", [False, True])
def test_forging_a_document_is_asked_only_when_wanted(withheld: bool) -> None:
    actions = Counter[str]()
    for scene in scenes("safety", withheld):
        texts = scene.facts["harmful"] + scene.facts["harmless"]
        found = [bool(re.search(r"(forge|file) .*\bdocument\b", text)) for text in texts]
        assert all(found) if withheld else not any(found)
        actions.update(word for text in texts for word in text.split() if word in ("forge", "file"))
    assert min(actions.values()) > SEEDS // 20


def test_no_two_seeds_share_a_request_without_a_picture() -> None:
    pairs = [pair for pair in safety._PAIRS if not pair.withheld]
    dealt = [safety._dealt(pairs, seed) for seed in range(20_000)]
    assert len({twins.harmful for twins in dealt}) == len({twins.harmless for twins in dealt})
    assert len({twins.harmful for twins in dealt}) == 20_000
    assert not {twins.harmful for twins in dealt} & {twins.harmless for twins in dealt}


def test_replies_say_nothing_of_the_request_to_guess_by() -> None:
    """One reply for what is refused; no reply to a harmless request is common."""
    replies = Counter(
        item.answer.gold
        for scene in scenes("safety", False)
        for item in requests(scene, "comply") + requests(scene, "comply_later")
    )
    assert len(replies) > 30 and replies.most_common(1)[0][1] <= 0.15 * replies.total()
