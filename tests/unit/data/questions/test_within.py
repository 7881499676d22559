"""A plain question in prompts by hand: those that ask it, and those that ask for something else."""

import pytest

from pellucid.data.questions.same import compare
from pellucid.data.questions.within import within
from pellucid.data.questions.wording import wording

PLAIN = "How much revenue did the firm generate in the fourth quarter of 2019?"


@pytest.mark.parametrize(
    "prompt",
    [
        f"{PLAIN}\nChartBot:",
        "My manager is asking me how much revenue the firm generated in the fourth quarter of 2019,"
        " and I don't have time for this. Could you look?",
        "Extract how much revenue the firm generated in the fourth quarter of 2019. Keep the "
        "rounding used in the source.",
        "The intern writes: how much revenue did the firm generate in the fourth quarter of 2019?",
        "A small story comes with this. How much revenue did the firm generate in the fourth "
        "quarter of 2019? What do you tell the reporter?",
    ],
)
def test_a_question_in_other_clauses(prompt: str) -> None:
    assert within(PLAIN, prompt)
    assert compare(wording(PLAIN), wording(prompt)).same


@pytest.mark.parametrize(
    ("plain", "prompt"),
    [
        ("What is the invoice number?", "What is the date of the invoice number?"),
        ("What is the total amount due?", "What is the total amount due excluding tax?"),
        ("What is the total amount due?", "In 2019, what is the total amount due?"),
        ("How many chairs are there?", "How many red chairs are there?"),
        ("How many chairs are there?", "How many chairs are there near the door?"),
        ("How many chairs are there?", "Look at the left half. How many chairs are there?"),
        ("How many chairs are there?", "Ask Berta Klein how many chairs are there."),
        ("Where is the cat sitting?", "When is the cat sitting?"),
        ("What is he holding?", "See the clerk. What is he holding?"),
        ("How many chairs are there?", "How many chairs are there? Is the lamp on?"),
        ("Who won the race?", "Who won the race? And who won the race after it?"),
        ("What is it?", "What is it that lies there?"),
        ("Is the road to Ulm from Bonn?", "Is the road from Ulm to Bonn?"),
    ],
)
def test_what_another_asks(plain: str, prompt: str) -> None:
    assert not within(plain, prompt)


APART = [
    "I am vegetarian. Can I eat here?", "I am allergic to nuts. Can I eat here?",
    'The user says: "There is a dog in the picture." Is the user correct?',
    'The user says: "There is a bus in the picture." Is the user correct?',
    "You are standing at the entrance. Is the sofa visible?",
    "You are standing at the balcony. Is the sofa visible?",
    "I want to buy an apple. How much is the fruit?",
    "I want to buy a banana. How much is the fruit?",
    "Bus number 5 arrives. When does the bus leave?",
    "Bus number 7 arrives. When does the bus leave?",
    "Take the table above. What is the total revenue?",
    "Take the table below. What is the total revenue?",
    "Spain:\nHow high is the rate?", "France:\nHow high is the rate?",
    "[2019] What is the revenue?", "[2020] What is the revenue?",
    "(left panel) How many bars are shown?", "(right panel) How many bars are shown?",
    "Q1: what is the revenue?", "Q2: what is the revenue?",
    "Find the row for Spain and give the value in 1999.",
    "Find the row for Spain and give the value in 2005.",
    "State the revenue as shown for 2019.", "State the revenue as shown for 2020.",
    "The egg is shown after cooking. How heavy is the egg?",
    "The egg is shown before cooking. How heavy is the egg?",
]  # fmt: skip


@pytest.mark.parametrize("at", range(0, len(APART), 2))
def test_premises_stay(at: int) -> None:
    """Two premises for one question: found by somebody who looked for them."""
    assert not compare(wording(APART[at]), wording(APART[at + 1])).same


def test_json_that_is_deep_or_has_names_for_places() -> None:
    deep = "[" * 700 + '{"text": "what is it?"}' + "]" * 700
    assert wording(deep)
    told = '{"from": "Boston", "to": "Denver", "question": "How long is the flight?"}'
    assert wording(told).plain == "How long is the flight?"
