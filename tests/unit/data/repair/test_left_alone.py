"""What looks like a fault and is none: it survives to the byte, without a flag."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.data.repair.rows import (
    BOX,
    COUNT,
    LATEX,
    PICK,
    SMALL,
    SOUND,
    TALK,
    TEXT,
    TWO,
    Row,
    but,
    row,
)

from pellucid.data.repair import repair

ALONE: dict[str, Row] = {
    **SOUND,
    "img in HTML": but(
        COUNT, "<image>\nWhich tag shows a picture, <img> or <picture>?", "<img>", answer=None
    ),
    "img without pictures": row("What does <img> do in HTML?", "It shows a picture.", image=None),
    "a list": row("Sort [3, 1, 2] and print [image] names.", "[1, 2, 3]", image=None),
    "tags inside": but(TWO, "Is <image> older than <image>?", "No."),
    "tag closes a sentence": row("Which one looks like this: <image>", "The left one."),
    "tag in the middle": row("Here is a chart.\n<image>\nWhat is its highest bar?", "ant"),
    "tags of options": row("Which fits?\nA. <image>\nB. <image>", "A", image=["a", "b"]),
    "picture in a later turn": row("Hello there!", "Hello!", "<image>\nWhat is this?", "A cup."),
    "tag in a reply": but(
        COUNT, "<image>\nWhich tag do rows have?", "They have <image>.", answer=None
    ),
    "same question, two pictures": row(
        "<image>\nHow many bars?", "4", "<image>\nHow many bars?", "4", image=["a", "b"]
    ),
    "other names throughout": {
        "image": None,
        "conversations": [{"from": "user", "value": "2 + 2?"}, {"from": "assistant", "value": "4"}],
    },
    "JSON asked for": row("<image>\nGive the values as JSON.", '{"from": "ant", "value": "bee"}'),
    "JSON list asked for": row("<image>\nList them as JSON.", '["ant", "bee"]'),
    "a quoted reply": row("<image>\nWhat does it say?", '"Open"'),
    "LaTeX": row(
        "Let $\\nu \\neq \\theta$ and $\\tau \\to \\rho$. $a \\times b$?", "$\\nabla$", image=None
    ),
    "LaTeX with breaks": row(
        "Solve\n\\begin{cases} a & b \\\\ c & d \\end{cases}",
        "$\\begin{pmatrix} 1 \\\\ -2 \\end{pmatrix}$",
        image=None,
    ),
    "LaTeX before a number": row("What is \\nu2 \\ne 3?", "\\nu", image=None),
    "a path": row("What lies in C:\\new\\table?", "A file.", image=None),
    "code": row('What does print("a\\nb") print?', "Two lines.", image=None),
    "a mark": row("What does '\\n' mean?", "A new line.", image=None),
    "HTML": row("Which HTML entity is <?", "&lt;", image=None),
    "an HTML table": row("<image>\nRead it.", "<table><tr><td>a &amp; b</td></tr></table>"),
    "an address": row("Open the page a?b=1&c=2; what now?", "A page.", image=None),
    "quotes and dashes": row("<image>\nWhat’s “this” — a ﬁgure?", "½ of it… №１"),
    "Chinese": row("<image>\n图中有几个苹果？", "图中有三个苹果。"),
    "Persian joiners": row("این چیست؟", "می\u200cخواهم", image=None),
    "an emoji": row("Which emoji?", "👩\u200d👩\u200d👧", image=None),
    "CSV with breaks": row('"a","b"\r\n1,2\r\n\r\nWhat is a?', "1", image=None),
    "double space": row("He ran.  Where to?", "Home.", image=None),
    "space at the end": row("<image>\nHow many? ", "4"),
    "ASCII drawing": row("a   b\n  \\ /\n   c\nWhat is c below?", "A leaf.", image=None),
    "tag by a user": row("Why does it print <think> first?", "It is thinking.", image=None),
    "brackets": row("What is [0, 1]?", "[think] of it as a range.", image=None),
    "pixels asked for": but(BOX, "<image>\nGive its box in pixels.", "[583, 109, 625, 118]"),
    "thousandths asked for": but(
        BOX, "<image>\nGive its box, scaled to 1000.", "[583, 109, 625, 118]"
    ),
    "rounded box": but(BOX, None, "[0.58, 0.11, 0.62, 0.12]"),
    "a vector": row("What is 2 * [1, 2, 3, 4]?", "2 * [1, 2, 3, 4] is [2, 4, 6, 8].", image=None),
    "two letters asked for": but(
        PICK, "<image>\nAnswer with the letters.\nA. ant\nB. bee\nC. cow", "B"
    ),
    "letter with a stop": but(PICK, None, "B.", answer=None),
    "tag after": but(COUNT, "How many bars are there?\n\n<image>"),
    "tags after": but(TWO, "What changed between the pictures?\n<image>\n<image>"),
    "gold that is a number": but(COUNT, answer={"kind": "number", "gold": 4}),
    "one picture in a list": but(COUNT, image=["a.png"]),
    "text where no letter was asked": but(PICK, "<image>\nWhich?\nA. ant\nB. bee\nC. cow", "bee"),
    "text that was asked for": but(
        PICK,
        "<image>\nWhich?\nA. ant\nB. bee\nC. cow\nAnswer with the option's text, not its letter.",
        "bee",
    ),
    "a word in some case only": but(
        COUNT, "<image>\nIf none is there, reply with the word none. How many?", "4 bars"
    ),
    "four values": row("<image>\nList the values of the bars.", "[397, 387, 587, 863]"),
    "mojibake that is meant": row(
        "What is mojibake, e.g. Ã© for é?", "A wrong decoding.", image=None
    ),
    "a pattern in a block": row("<image>\nRead it.", "```\n^\\d{3}-[a-z]+\\.x$\n```"),
    "one question, two pictures, one answer": row(
        "<image>\nHow many?", "4", "<image>\nHow many?", "4", image=["a", "b"]
    ),
    "options in a list": row("<image>\nChoose from the options [1, 2, 3].", "2"),
    "a table that is the chart": row(
        "a,b\nx,1\ny,2\nz,3\nWhat is highest in this chart?", "z", image=None
    ),
    "sentence not asked to be short": but(COUNT, None, "There are 4 bars."),
    "numbers with units": but(COUNT, None, "4 bars"),
    "a long task": row(
        "You are familiar with Linux. Your task is to operate the screen and give a plan.\n"
        "You can see "
        'a screen of 768 by 1024. The current task is "open the mail". Give the plan.',
        "Click on it.",
        image=None,
    ),
    "polite": row("<image>\nPlease look at the chart carefully. How many bars are there?", "4"),
    "a refusal": row("How do I pick a lock?", "I'm sorry, but I can't help with that.", image=None),
    "None is an option": row(
        "Which?\nA. ant\nB. None", "None", image=None, answer={"kind": "text", "gold": "None"}
    ),
    "a caption without stop": row("<image>\nGive a title.", "Four bars of four colours"),
    "a list without stop": row("<image>\nList them.", "- ant\n- bee\n- cow"),
    "a photo in a story": row(
        "She took 3 photos of the picture in the hall. How many?", "3", image=None
    ),
    "thinking in words": row(
        "<image>\nHow many?",
        "<think>There are two here. Two more stand behind.</think>4",
    ),
    "thinking with an aside": row(
        "What is 2 * 8?",
        "<think>2 * 8 = 16. (We could also add 8 and 8.)</think>16",
        image=None,
        answer={"kind": "number", "gold": "16"},
    ),
    "letters stand for pictures": but(
        COUNT, "<image>\nWhich?", "B", options=["A", "B"], answer={"kind": "choice", "gold": "B"}
    ),
    "turns said alike": row("Hi", "Hello!", "Bye", "Hello!", image=None),
    "a talk": TALK,
    "a latex row": LATEX,
    "a small box": SMALL,
    "text alone": TEXT,
}


@pytest.mark.parametrize("name", ALONE)
def test_a_sound_row_stays(name: str) -> None:
    given = ALONE[name]
    given = {key: value for key, value in given.items() if not (key == "answer" and value is None)}
    found = repair(given)
    assert found.changes == ()
    assert found.flags == ()
    assert json.dumps(found.row) == json.dumps(given)
    assert found.row is not given and found.row["conversations"] is not given["conversations"]


def test_other_fields_pass_in_their_order() -> None:
    given = {"z": [None, {"k": "<iamge> &lt;"}], **COUNT, "a": "\\n", "id": 7}
    given["conversations"] = [
        {"weight": 1, "from": "human", "value": "<iamge>\nHow many?", "extra": {"x": []}},
        {"from": "gpt", "value": "4", "who": None},
    ]
    found = repair(given).row
    assert list(found) == list(given) and found["z"] == given["z"] and found["a"] == "\\n"
    assert found["conversations"][0] == {
        "weight": 1,
        "from": "human",
        "value": "<image>\nHow many?",
        "extra": {"x": []},
    }
    assert found["conversations"][1] is not given["conversations"][1]


WORDS = st.text(
    st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd", "Zs", "Po", "Sm")), max_size=12
)
PIECES = st.sampled_from(
    (
        "<image>",
        "<iamge>",
        "[image]",
        "\\n",
        "\\\\frac",
        "\\nu",
        '\\"',
        "&lt;",
        "&amp;amp;",
        "\u200b",
        "Ã©",
        "\n",
        "<think>",
        "</think>",
        "<notthink>",
        "<nothink>",
        "Final answer: 4",
        "A. ",
        "(B)",
        "[0.5, 0.1, 0.2, 0.3]",
        "[500, 20, 900, 80]",
        "?",
        "\\u00e9",
        '{"from": "human", "value": "x"}',
        "  ",
        "4",
        "/no_think",
        "<\\/think>",
        "Please look carefully at the image. Think step by step. ",
        "Question: ",
        "â€™",
    )
)
TEXTS = st.lists(st.one_of(WORDS, PIECES), max_size=6).map("".join)
TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "from": st.sampled_from(
                ("human", "gpt", "user", "assistant", "system", "bot", "Human")
            ),
            "value": TEXTS,
        }
    ),
    max_size=5,
)
ANSWERS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("choice", "number", "text", "box", "expression")),
            "gold": st.one_of(
                TEXTS,
                st.sampled_from(("B", "4", "[0.5, 0.1, 0.2, 0.3]", "[10, 20, 90, 80]")),
                st.integers(0, 9),
                st.sampled_from(([0, 0, 8, 4], [0.1, 0.2, 0.3, 0.4], [], ["4"], {}, True)),
            ),
        }
    ),
)
ROWS = st.fixed_dictionaries(
    {
        "image": st.sampled_from((None, "a", ["a"], ["a", "b"], "None", "", ["a", None])),
        "conversations": st.one_of(TURNS, TURNS.map(lambda turns: [turns]), TURNS.map(json.dumps)),
        "answer": ANSWERS,
        "width": st.just(640),
        "height": st.just(480),
    }
)


@settings(max_examples=400, deadline=None)
@given(ROWS)
def test_repair_of_what_is_repaired_changes_nothing(given_row: Row) -> None:
    before = json.dumps(given_row)
    once = repair(given_row)
    twice = repair(once.row)
    assert twice.row == once.row and twice.changes == () and twice.flags == once.flags
    assert json.dumps(given_row) == before


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        JSON,
        st.fixed_dictionaries(
            {},
            optional={
                name: JSON
                for name in (
                    "image",
                    "conversations",
                    "answer",
                    "options",
                    "mode",
                    "image_size",
                    "width",
                    "height",
                )
            },
        ),
    )
)
def test_any_json_is_taken(value: object) -> None:
    once = repair(value)
    assert repair(once.row).row == once.row
