"""Prompts by hand, as public sets word them; what must stay; and prompts of any kind."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.contamination.questions import question
from pellucid.data.questions.same import compare
from pellucid.data.questions.template import asked, same_options
from pellucid.data.questions.wording import wording

QUESTION = "What year is shown on the red sign?"
BEFORE = (
    "<image>\n", "Please look at the image and answer the question.\n", "Question: ", "Q: ",
    "Given the following image, answer the question: ", "USER: ", "Here is the question: ",
    "Use the picture to answer the following question.\n", "You are an AI visual assistant.\n",
    "I have a question about this image: ", "Look at the picture carefully. ", "Can you tell me: ",
    "Please answer the following question about the document: ", "Consider the image. ",
    "The following is a question about the chart.\n", "### Instruction: ", "In this picture, ",
    "Below is an instruction that describes a task. ", "请回答以下问题：", "回答问题。",
    "Beantworte die Frage: ", "Based on the image, ", "Use the chart to find out: ",
    "Act as a careful clerk. ", "Context: a page of a report. ",
)  # fmt: skip
BEHIND = (
    "Answer with the option's letter from the given choices directly.", "Do not explain.",
    "Hint: Please answer the question and provide the correct option letter, e.g., A, B, at the "
    "end.",
    "First perform reasoning, then finally select the question from the choices in the following "
    "format: Answer: xxx.",
    "You FIRST think about the reasoning process as an internal monologue and then provide the "
    "final answer. The reasoning process MUST BE enclosed within <think> </think> tags. The final "
    "answer MUST BE put in \\boxed{}.",
    "Provide a short and direct response.", "Quick response, please.", "Short answer required.",
    "Be succinct.", "Keep it brief.", "No explanation needed.", "Please respond in English.",
    "Answer the question using a single word or phrase.", "Output only the number.",
    "When the provided information is insufficient, respond with 'Unanswerable'.",
    "Round your answer to two decimal places.", "Answer in one word. (a single word)",
    "Explain your reasoning.", "If unsure, make your best guess.",
)  # fmt: skip


@pytest.mark.parametrize("before", BEFORE)
def test_what_stands_before_a_question_goes(before: str) -> None:
    assert asked(before + QUESTION).text == QUESTION


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("between", [" ", "\n"])
def test_what_stands_behind_a_question_goes(behind: str, between: str) -> None:
    assert asked(QUESTION + between + behind).text == QUESTION


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("I would like to know what year it is on the sign.", "what year it is on the sign."),
        ("Read the page and tell me who signed the letter.", "who signed the letter."),
        ("Hello! Could you extract the sender of the letter?", "the sender of the letter?"),
        ("How many red discs lie there, according to the chart?", "How many red discs lie there?"),
        ("How many discs lie there? (single integer)", "How many discs lie there?"),
        ('{"role": "user", "content": "<image>\\nHow many \\"A\\"?"}', 'How many "A"?'),
        ("This is a photo of a lot. Give the number of red cars.", "Give the number of red cars."),
        ("Count the discs. Answer in curly brackets e.g. {3}.", "Count the discs."),
        ("How many bars?NOTE:Begin your answer with 'My answer is'.", "How many bars?"),
    ],
)
def test_a_question_without_its_frame(prompt: str, left: str) -> None:
    assert asked(prompt).text == left


@pytest.mark.parametrize(
    "prompt",
    [
        "Looking at the left chart, which town is largest?",
        "Based on the bars of 1999, which town is largest?",
        "According to Anna Berg, which town is largest?",
        "According to the tower clock, what time is it?",
        "In triangle ABC, AB = 3 and BC = 4. What is AC?",
        "There are 12 apples. Anna eats 5. How many are left?",
        "Which of those who know how to swim is tallest?",
        "Does the sign say what it costs?",
        "Provide the letters on the licence plate.",
        "Look at the man on the left. What is he wearing?",
        "Imagine you are facing the sofa. What is on your left?",
        "Consider triangle ABC. What is its area?",
        "According to the blue line, what was the peak temperature?",
        "What does panel (A) show?",
        "How often does it appear (the word STOP)?",
        "How many <div> elements are there?",
        "What is the difference between (a), (b) and (c) in colour?",
        "If switch S is open. What happens to bulb A?",
        "What is shown? Explain the role of the nucleus.",
        "Round the sales of 2019 to the nearest ten.",
        "Answer with the option's letter.",
        "Show me the town. Give its name.",
    ],
)
def test_what_may_tell_two_questions_apart_stays(prompt: str) -> None:
    assert asked(prompt).text == prompt


@pytest.mark.parametrize(
    "listed",
    [
        "\nA. ulm\nB. rom\nC. bern", "\n(a) ulm\n(b) rom\n(c) bern", " A. ulm B. rom C. bern",
        " Choices: (A) ulm (B) rom (C) bern. Answer with the letter.", " a. ulm b. rom c. bern",
        " Options: (1) ulm (2) rom (3) bern", " Choose from: A) ulm B) rom C) bern\nAnswer:",
    ],
)  # fmt: skip
def test_options_are_read_wherever_they_stand(listed: str) -> None:
    found = asked("Which town is it?" + listed)
    assert found.text == "Which town is it?"
    assert [text for _, text in found.options] == ["ulm", "rom", "bern"]
    assert [label for label, _ in found.options] in (["A", "B", "C"], ["1", "2", "3"])


@pytest.mark.parametrize(
    "listed",
    ['Choices: ["ulm", "rom", "bern"].', "Candidates: ulm / rom / bern", "Options: ulm, rom, bern"],
)
def test_options_without_labels(listed: str) -> None:
    assert asked("Which town? " + listed) == (
        "Which town?", (("", "ulm"), ("", "rom"), ("", "bern")), "Which town?"
    )  # fmt: skip


def test_no_options_are_read_where_there_are_none() -> None:
    for text in (
        "What joins points A and B?",
        "Is it 3.5 or 4.5?",
        "Name plan B. Is there a C?",
        "Which candidates are from Ohio or Iowa?",
    ):
        assert asked(text).options == ()


def test_a_letter_is_the_gold_of_an_inline_list_too() -> None:
    asked_ = question("Which town? (A) Ulm (B) Rom", "B", lettered=True)
    assert asked_.golds == {"rom"} and asked_.options == {"ulm", "rom"}
    assert same_options(asked_.options, question("Which town? Choices: Rom, Ulm", "Rom").options)
    assert not same_options(
        asked_.options, question("Which town? Choices: Bern, Linz", "Linz").options
    )


def test_a_ratio_the_other_way_round_is_another() -> None:
    one = wording("What is the ratio of cats to dogs?")
    assert not compare(one, wording("Compute the ratio of dogs to cats.")).same
    assert compare(one, wording("Compute the ratio of cats to dogs.")).same


def test_templates_that_the_rule_was_mended_with_stay_found() -> None:
    """Of 663 at least 92 in 100; of other questions in these templates at most seven."""
    path = Path(__file__).parents[4] / "benchmarks" / "wordings" / "templates.txt"
    base, found = question("", ""), {"+": 0, "-": 0}
    for line in path.read_text("utf-8").splitlines():
        sign, text = line[:1], line[2:].replace("\\n", "\n")
        if sign == "=":
            base = question(text.partition(" | ")[0], "")
        elif line[:2] in ("+ ", "- "):
            other = question(text, "")
            same = compare(wording(base.text), wording(other.text)).same
            found[sign] += same and same_options(base.options, other.options)
    assert found["+"] >= 0.92 * 663 and found["-"] <= 7


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ('{"text": "Total: 3", "question": "What is the total?"}', "What is the total?"),
        (
            '[{"role": "system", "content": "You are kind."},'
            ' {"role": "user", "content": "What is it?"}]', "What is it?",
        ),
        ('{"rows": [1, 2]}', '{"rows": [1, 2]}'),
    ],
)  # fmt: skip
def test_a_prompt_in_json(prompt: str, left: str) -> None:
    assert asked(prompt).text == left


@pytest.mark.parametrize(
    "prompt",
    [
        "int a[] = {" + "5," * 2000 + "x", "Which bar?\n" + "-" * 3000 + " Figure 3",
        "( a" * 3000, "( ) " * 3000, "options" + " " * 20000, "{" * 5000, "tell me " * 3000,
        "<|" * 5000, "(A, " * 3000, "the first, " * 3000, "look at the " * 3000 + "and",
    ],
)  # fmt: skip
def test_a_prompt_made_to_be_slow_ends(prompt: str) -> None:
    """Patterns that try every way of a long text would not end within the test's time."""
    assert asked(prompt).text


@given(st.text(max_size=200))
def test_any_prompt_has_a_text_that_was_in_it(prompt: str) -> None:
    found = asked(prompt)
    assert found.text or not prompt
    assert asked(prompt) == found
