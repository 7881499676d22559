"""Sound rows of the common kinds, which the tests of repair break by hand."""

import copy
from typing import Any

Row = dict[str, Any]


def row(*said: str, **fields: Any) -> Row:
    turns = [
        {"from": "gpt" if number % 2 else "human", "value": text}
        for number, text in enumerate(said)
    ]
    return {"image": "a.png", "conversations": turns, **fields}


def but(base: Row, *texts: str | None, **fields: Any) -> Row:
    """A copy with other texts in its turns (None keeps one) and other fields."""
    new = copy.deepcopy(base)
    for turn, text in zip(new["conversations"], texts, strict=False):
        turn["value"] = turn["value"] if text is None else text
    return {**new, **fields}


def said_by(base: Row, *names: str) -> Row:
    new = copy.deepcopy(base)
    for turn, name in zip(new["conversations"], names, strict=True):
        turn["from"] = name
    return new


COUNT = row("<image>\nHow many bars are there?", "4", answer={"kind": "number", "gold": "4"})
THINK = row(
    "<image>\nWhat is the sum of ant and bee?",
    "<think>ant 3, bee 9. 3 + 9 = 12.</think>12",
    answer={"kind": "number", "gold": "12"},
)
PICK = row(
    "<image>\nWhich bar is tallest?\nA. ant\nB. bee\nC. cow\nAnswer with the option's letter.",
    "B",
    answer={"kind": "choice", "gold": "B", "aliases": ["bee"]},
    options=["ant", "bee", "cow"],
)
LISTED = row(
    "<image>\nIs this true or false?\nA. true\nB. false",
    "B",
    answer={"kind": "choice", "gold": "B", "aliases": ["false"]},
)
WORD = row(
    "<image>\nWhat colour is the bar? Answer with a single word.",
    "red",
    answer={"kind": "text", "gold": "red"},
)
BOX = row(
    "<image>\nWhere is the button? Give its box.",
    "[0.5830, 0.1090, 0.6250, 0.1180]",
    answer={"kind": "box", "gold": "[0.5830, 0.1090, 0.6250, 0.1180]"},
    width=1000,
    height=1000,
)
SMALL = row(
    "<image>\nWhere is the button? Give its box.",
    "[0.1250, 0.2500, 0.7500, 0.5000]",
    answer={"kind": "box", "gold": "[0.1250, 0.2500, 0.7500, 0.5000]"},
    width=160,
    height=120,
)
DIRECT = row("<image>\nGive the box of the link.", "<nothink>[0.5830, 0.1090, 0.6250, 0.1180]")
TALK = row(
    "<image>\nWhat is the value of ant?",
    "3",
    "And together with bee?",
    "<think>3 + 9 = 12.</think>12",
    answer={"kind": "number", "gold": "12"},
)
TWO = row(
    "<image>\n<image>\nWhat changed between the pictures?", "A cup was added.", image=["a", "b"]
)
TEXT = row("What is 2 + 2?", "4", image=None, answer={"kind": "number", "gold": "4"})
CAPTION = row(
    "<image>\nDescribe the picture.",
    "The chart shows four bars. The tallest of them is blue, and it stands on the left.",
)
LATEX = row(
    "<image>\nLet $\\nu = \\frac{1}{2}$ and $x \\neq 0$.\nFind $\\theta \\times \\nu$.",
    "$\\frac{\\theta}{2}$",
    answer={"kind": "expression", "gold": "\\frac{\\theta}{2}"},
)
FRENCH = row(
    "<image>\nQue voit-on sur l’image ?", "Un café à Orléans — fermé l’été.", licence="CC0-1.0"
)
CODE = row("Is a < b & b > c?\nAnswer yes or no.", "yes", image=None)
SOUND = {
    name: value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, dict)
}
