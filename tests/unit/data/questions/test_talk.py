"""Talk about asking and answering by hand, and what may tell two questions apart."""

import pytest

from pellucid.data.questions.talk import alone, mere_talk, talks
from pellucid.data.questions.template import asked

QUESTION = "Which town has the tallest tower?"


@pytest.mark.parametrize(
    "clause",
    [
        "Your job is to read values from line graphs.",
        "As a meticulous assistant for visually impaired users, tell them what they ask for.",
        "You are ChartBot, a helpful chart assistant.",
        "DocVQA question",
        "GUI-QA #0042",
        "Verify the claim with the help of the page, then print 1 word.",
        "Let me ask you something.",
        "True or false style item, reply with Yes/No in lower case",
        "Answer in at most two words.",
    ],
)
def test_talk(clause: str) -> None:
    assert talks(clause)


@pytest.mark.parametrize(
    "clause",
    [
        "You see the man on the left.",
        "Answer for the red bars.",
        "Let me ask you about Spain.",
        "Answer for 2019.",
        "Suppose that you turn the picture.",
        "Ignore the items in the legend and answer.",
        "You should leave out all totals: average the rest.",
        "The dog lies on the sofa.",
    ],
)
def test_what_may_tell_two_questions_apart(clause: str) -> None:
    assert not talks(clause)


def test_a_question_that_needs_what_was_said_before() -> None:
    assert not alone("What is she holding?")
    assert not alone("How tall is it?")
    assert alone("What is shown on this page?")
    assert alone("Who signed this second invoice?")


def test_a_question_about_answering() -> None:
    assert mere_talk("Yes or no?")
    assert not mere_talk("Can you see the tower?")


@pytest.mark.parametrize(
    "prompt",
    [
        f"Hey, quick question about this graph - {QUESTION}",
        f"invoice QA | {QUESTION}",
        f"(12) {QUESTION} ____",
        f"Question 7. {QUESTION}",
        f"Q1) {QUESTION}\nA1)",
        f"System: You are ChartBot, a helpful chart assistant.\nUser: {QUESTION}\nAssistant:",
        f"{QUESTION} Yes or no?",
        f"Could you help me with my homework? {QUESTION}",
        f"{QUESTION} Write N/A if it is missing.",
        f"Yes/No question >> {QUESTION}",
        '{"id": 118, "conversations": [{"from": "human", "value": "<image>\\n' + QUESTION + '"}]}',
        '{"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": '
        '[{"type": "image"}, {"type": "text", "text": "' + QUESTION + '"}]}]}',
        f"[Turn 1] {QUESTION}\n[Reply]",
        f"Bitte auf Englisch antworten. {QUESTION} Danke!",
        f"Visual dialog, round 1 -- Questioner: {QUESTION} Answerer:",
    ],
)
def test_a_question_in_talk(prompt: str) -> None:
    assert asked(prompt).text == QUESTION


@pytest.mark.parametrize(
    "prompt",
    [
        "Let me ask you about the clerk. What does he hold?",
        "You see two charts. Which town has the tallest tower?",
        "Suppose you mirror the picture. Which number do you see?",
        "Answer for the left page. Which town has the tallest tower?",
        "If you took the red bar away, which town had the tallest tower?",
    ],
)
def test_what_a_question_may_need_stays(prompt: str) -> None:
    assert asked(prompt).text == prompt
