"""Faults that nobody can undo for certain: the row stays as it was, and the flag says why."""

import pytest
from tests.unit.data.repair.rows import (
    BOX,
    CAPTION,
    COUNT,
    LISTED,
    PICK,
    SMALL,
    TALK,
    THINK,
    TWO,
    WORD,
    Row,
    but,
    row,
    said_by,
)

from pellucid.data.repair import repair

FLAGGED: dict[str, tuple[str, Row]] = {
    "empty reply": ("empty_replies", but(COUNT, None, "")),
    "blank reply": ("empty_replies", but(COUNT, None, " \n")),
    "nothing after the mode": ("empty_replies", but(COUNT, None, "<nothink>")),
    "n/a": ("empty_replies", but(COUNT, None, "N/A")),
    "empty question": ("empty_replies", but(COUNT, "<image>\n")),
    **{
        text: ("empty_replies", but(CAPTION, None, text))
        for text in (
            "Your message is empty. Please provide a question.",
            "As an AI language model, I cannot see images.",
            "I'm sorry, I can't view images.",
            "I'm sorry, but I am unable to see the picture you mentioned.",
            "I apologize, but I don't have the ability to view images.",
            "Please provide the image so that I can help.",
            "Sorry, no image was attached to your message.",
            "As an AI, I do not have access to the chart.",
            "Hello! How can I assist you today?",
        )
    },
    "a refusal in place of an answer": (
        "empty_replies",
        but(COUNT, None, "I'm sorry, but I can't assist with that."),
    ),
    "first question missing": ("role_order", {**TALK, "conversations": TALK["conversations"][1:]}),
    "reply missing": (
        "role_order",
        {**TALK, "conversations": [*TALK["conversations"][:1], *TALK["conversations"][2:]]},
    ),
    "last reply missing": ("soundness", {**TALK, "conversations": TALK["conversations"][:3]}),
    "two different questions": (
        "role_order",
        {
            **TALK,
            "conversations": [
                TALK["conversations"][0],
                {"from": "human", "value": "Why?"},
                TALK["conversations"][1],
            ],
        },
    ),
    "odd speaker": ("soundness", said_by(COUNT, "human", "xyzzy")),
    "no turns": ("soundness", {**COUNT, "conversations": []}),
    "turn without text": ("soundness", {**COUNT, "conversations": [{"from": "human"}]}),
    "picture lost": ("tag_number", but(COUNT, image=None)),
    "picture lost, second": ("tag_number", but(TWO, image=["a"])),
    "tags in the text, too many": (
        "tag_number",
        but(COUNT, "<image>\nIs <image> or <image> right?"),
    ),
    "tags in the text, too few": ("tag_number", but(TWO, "Which of  is like <image>?")),
    "no picture": ("absent_picture", row("How many bars are in the image?", "4", image=None)),
    "described, no picture": (
        "absent_picture",
        row("Describe this picture.", "A cup.", image=None),
    ),
    "thinking without end": ("thinking_tags", but(THINK, None, "<think>ant 3, bee 9. Then I add")),
    "thinking twice": ("thinking_tags", but(THINK, None, "<think>3.</think>9<think>12.</think>12")),
    "both modes": ("thinking_tags", but(THINK, None, "<nothink><think>3 + 9 = 12.</think>12")),
    "only thinking": ("answer_in_thinking", but(THINK, None, "<think>ant 3, bee 9.</think>")),
    "thinks another value": (
        "thinking_and_answer",
        but(THINK, None, "<think>3 + 9 = 13.</think>12"),
    ),
    "thinks another letter": (
        "thinking_and_answer",
        but(PICK, None, "<think>The answer is C.</think>B"),
    ),
    "switch of another model": ("mode_tags", but(COUNT, "<image>\nHow many? /no_think")),
    "gold outside the options": ("options", but(PICK, answer={"kind": "choice", "gold": "E"})),
    "gold of no option": ("gold_form", but(PICK, answer={"kind": "choice", "gold": "dog"})),
    "alias of another option": (
        "options",
        but(PICK, answer={"kind": "choice", "gold": "B", "aliases": ["cow"]}),
    ),
    "option twice": ("options", but(PICK, options=["ant", "bee", "ant"])),
    "option twice in the question": ("options", but(LISTED, "<image>\nWhich?\nA. true\nB. true")),
    "other options": ("options", but(PICK, options=["ant", "bee", "dog"])),
    "number is no option": (
        "options",
        but(COUNT, options=["1", "2", "3"]),
    ),
    "another letter": ("gold_and_reply", but(PICK, None, "C")),
    "another number": ("gold_and_reply", but(COUNT, None, "5")),
    "another word": ("gold_and_reply", but(WORD, None, "blue")),
    "another box": ("gold_and_reply", but(SMALL, None, "[0.8000, 0.8000, 0.9000, 0.9000]")),
    "letter of no option": ("gold_form", but(PICK, answer={"kind": "choice", "gold": 1})),
    "text where a letter was asked": ("answer_form", but(PICK, None, "the small one")),
    "long where short was asked": (
        "answer_form",
        but(
            WORD,
            None,
            "I would say that this is rather hard to tell from where we all stand now.",
            answer=None,
        ),
    ),
    "pixels or thousandths": (
        "coordinates",
        but(
            BOX,
            None,
            "[83, 109, 125, 118]",
            width=640,
            height=480,
            answer={"kind": "box", "gold": "[83, 109, 125, 118]"},
        ),
    ),
    "size unknown": (
        "coordinates",
        row(
            "<image>\nGive its box.",
            "[583, 109, 625, 118]",
            answer={"kind": "box", "gold": "[583, 109, 625, 118]"},
        ),
    ),
    "box without gold": ("coordinates", row("<image>\nGive its box.", "[583, 109, 625, 118]")),
    "swapped or x y w h": (
        "coordinates",
        but(
            BOX,
            None,
            "[0.5, 0.1, 0.04, 0.01]",
            answer={"kind": "box", "gold": "[0.5, 0.1, 0.04, 0.01]"},
        ),
    ),
    "out of range": (
        "coordinates",
        but(
            BOX,
            None,
            "[0.5, 0.1, 1.2, 0.2]",
            answer={"kind": "box", "gold": "[0.5, 0.1, 1.2, 0.2]"},
        ),
    ),
    "negative": (
        "coordinates",
        but(
            BOX,
            None,
            "[-0.5, 0.1, 0.2, 0.2]",
            answer={"kind": "box", "gold": "[-0.5, 0.1, 0.2, 0.2]"},
        ),
    ),
    "no area": (
        "coordinates",
        but(
            BOX,
            None,
            "[0.2, 0.3, 0.2, 0.5]",
            answer={"kind": "box", "gold": "[0.2, 0.3, 0.2, 0.5]"},
        ),
    ),
    "null in a list": ("soundness", but(TWO, image=["a", None])),
    "asked twice of one picture": (
        "tag_number",
        row("<image>\nHow many?", "4", "<image>\nHow many?", "5", image=["a"]),
    ),
    "a pair that lost its tag": (
        "tag_number",
        row("<image>\nHow many?", "4", "How many?", "4", image=["a", "b"]),
    ),
    "thinking ends, or its last line": (
        "thinking_tags",
        but(THINK, None, "<think>3 + 9 = 12.\n12"),
    ),
    "marked as not thinking": ("thinking_tags", but(THINK, mode="nothink")),
    "options nowhere": (
        "options",
        but(COUNT, "<image>\nWhich? Answer with the option's letter.", "B", answer=None),
    ),
    "a picture that was cut out": (
        "absent_picture",
        row("Look at . Is it red?", "Yes.", image=None),
    ),
    "flattery and threats": (
        "wrapped_prompts",
        but(
            COUNT,
            "This is very important to my career. I will tip you $200.\n<image>\nHow many bars?",
        ),
    ),
    "a hole": ("empty_replies", but(CAPTION, None, "[object Object]")),
    "a refusal to look": (
        "empty_replies",
        but(CAPTION, None, "I'm sorry, I can't assist with that."),
    ),
    "lost letters": ("mojibake", but(CAPTION, None, "A caf\ufffd in Orl\ufffdans.")),
    "through GBK": ("mojibake", but(CAPTION, None, "你好世界".encode().decode("gbk"))),
    "echo": ("repeated_replies", but(COUNT, None, "How many bars are there?", answer=None)),
    "over and over": (
        "repeated_replies",
        but(CAPTION, None, "It is red. It is red. It is red. It is red."),
    ),
    "said twice": ("repeated_replies", but(CAPTION, None, "A blue bar. A blue bar.")),
    "question twice": (
        "duplicate_turns",
        but(COUNT, "<image>\nHow many bars are there? How many bars are there?"),
    ),
    "cut in a word": (
        "cut_off_replies",
        but(CAPTION, None, "The chart shows four bars. The tallest of them is bl"),
    ),
    "cut after a word": (
        "cut_off_replies",
        but(CAPTION, None, "The chart shows four bars and the"),
    ),
    "LaTeX cut": ("cut_off_replies", row("Solve.", "We have $x = \\frac{1}{2", image=None)),
    "code cut": ("cut_off_replies", row("Write it.", "```python\nx = 1", image=None)),
    "HTML behind entities": (
        "html_entities",
        row("What is this?", "A &lt;div&gt; of a page.", image=None),
    ),
}


@pytest.mark.parametrize("name", FLAGGED)
def test_a_doubtful_row_is_flagged(name: str) -> None:
    operator, given = FLAGGED[name]
    given = {key: value for key, value in given.items() if not (key == "answer" and value is None)}
    found = repair(given)
    assert operator in {flag.op for flag in found.flags}, found
    assert all(flag.reason and flag.where and flag.version >= 1 for flag in found.flags)
    assert found.row == given or name in ("blank reply",), found.changes
