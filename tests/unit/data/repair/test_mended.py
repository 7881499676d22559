"""Faults as open sets have them: each comes back equal to the row that it was made of."""

import copy
import json
from typing import Any

import pytest
from tests.unit.data.repair.rows import (
    BOX,
    CAPTION,
    CODE,
    COUNT,
    DIRECT,
    FRENCH,
    LATEX,
    PICK,
    SMALL,
    TALK,
    TEXT,
    THINK,
    TWO,
    WORD,
    Row,
    but,
    row,
    said_by,
)

from pellucid.data.repair import repair

Q = "How many bars are there?"
FIGURE_4 = (
    {
        "image": "web/screenshot.png",
        "conversations": [
            [
                {"from": "human", "value": "where's the following UI element?\n\n<image>"},
                {"from": "gpt", "value": "<notthink>[0.5830, 0.1090, 0.6250, 0.1180]"},
            ]
        ],
    },
    {
        "image": "web/screenshot.png",
        "conversations": [
            # The tag stays: a picture may stand after its question, and sets have it so.
            {"from": "human", "value": "where's the following UI element?\n\n<image>"},
            {"from": "gpt", "value": "<nothink>[0.5830, 0.1090, 0.6250, 0.1180]"},
        ],
    },
)
WRAPPED = (
    "<image>\nYou are a helpful and highly skilled AI assistant. Please look at the image very "
    "carefully and think step by step. Pay close attention to every detail. Do not hallucinate. "
    f"Now answer the following question: {Q}"
)
TALKED = [turn["value"] for turn in TALK["conversations"]]


NAMED = but(
    PICK,
    "<image>\nWhich?\nA. ant\nB. bee\nC. cow\n"
    "Answer with the text of the option, without its letter.",
    "bee",
)
POINT = row(
    "<image>\nPoint at it.",
    "[0.2500, 0.5000]",
    image_size=[[1600, 1200]],
    answer={"kind": "point", "gold": [0.125, 0.25, 0.75, 0.95]},
)
SHOWN = but(SMALL, "<image>\nWhere is it? Answer with a box [x1, y1, x2, y2].")
MODE = but(DIRECT, None, "[0.5830, 0.1090, 0.6250, 0.1180]", mode="nothink")
LOW = but(
    SMALL,
    None,
    "[0.5000, 0.7500, 0.7500, 0.9000]",
    answer={"kind": "box", "gold": "[0.5000, 0.7500, 0.7500, 0.9000]"},
)


def but_from(base: Row, index: int, *name: str | None) -> Row:
    new = copy.deepcopy(base)
    del new["conversations"][index]["from"]
    new["conversations"][index] |= {"from": name[0]} if name else {}
    return new


def turned(base: Row, *order: int) -> Row:
    return {**base, "conversations": [copy.deepcopy(base["conversations"][i]) for i in order]}


def keyed(base: Row, speaker: str, text: str, names: tuple[str, ...] = ("human", "gpt")) -> Row:
    turns = [
        {speaker: names[index % 2], text: turn["value"]}
        for index, turn in enumerate(base["conversations"])
    ]
    return {**base, "conversations": turns}


def renamed(base: Row, name: str) -> Row:
    return {name if key == "conversations" else key: value for key, value in base.items()}


def spelt(base: Row, tag: str) -> Row:
    texts = [turn["value"].replace("<image>", tag) for turn in base["conversations"]]
    return but(base, *texts)


def first(base: Row) -> Any:
    return base["conversations"][0]


TAGS = (
    "<iamge>",
    "<Image>",
    "<IMAGE>",
    "<img>",
    "< image >",
    "[image]",
    "<image/>",
    "<image1>",
    "<|image|>",
    "<image_1>",
    "</image>",
    "<imge>",
    "<images>",
    "[IMAGE]",
    "{image}",
    "<<image>>",
    "<image 1>",
    "<image_placeholder>",
    "<|image_1|>",
    "<|image_pad|>",
    "<ImageHere>",
    "<imagee>",
    "<imag>",
    "<picture>",
    "＜image＞",
    "<image >",
    "&lt;image&gt;",
    "[img]",
    "<im age>",
    "<image",
    "image>",
    "<image_token>",
    "<IMG>",
)
NOTHINK = (
    "<notthink>",
    "<no_think>",
    "<nothink >",
    "/no_think",
    "<NoThink>",
    "<no think>",
    "<nothnk>",
    "<no-think>",
    "<nothinking>",
    "[nothink]",
    "<|nothink|>",
    "< nothink>",
    "<NOTHINK>",
    "<nothink><nothink>",
    "<nonthink>",
    "<nothink/>",
    "<nothik>",
    "<notink>",
)
OPEN = (
    "<thinking>",
    "<Think>",
    "< think >",
    "<THINK>",
    "[think]",
    "<thnk>",
    "<thinks>",
    "<|think|>",
)
CLOSE = (
    "</thinking>",
    "</ think>",
    "</Think>",
    "< /think>",
    "<\\/think>",
    "[/think]",
    "</thnk>",
    "<think/>",
    "<\\think>",
    "</think >",
    "</THINK>",
)
ROLES = (
    ("Human", "GPT"),
    ("user", "gpt"),
    ("human", "assistant"),
    ("human", "bot"),
    ("human", "model"),
    ("human", "chatgpt"),
    ("USER", "ASSISTANT"),
    ("humna", "gtp"),
    ("human ", "gpt"),
    ("human", "gpt-4o"),
    ("human", "Assistant"),
    ("usr", "ai"),
    ("User:", "gpt:"),
)

CASES: dict[str, tuple[Row, Row]] = {
    "figure 4": FIGURE_4,
    **{f"tag {tag}": (spelt(COUNT, tag), COUNT) for tag in TAGS},
    **{f"tags {tag}": (spelt(TWO, tag), TWO) for tag in ("<img>", "[image]", "<iamge>")},
    **{f"tag in talk {tag}": (spelt(TALK, tag), TALK) for tag in ("<img>", "<image_1>")},
    "tag missing": (but(COUNT, Q), COUNT),
    "tags missing": (but(TWO, "What changed between the pictures?"), TWO),
    "one tag missing": (but(TWO, "<image>\nWhat changed between the pictures?"), TWO),
    "the first tag missing": (but(TWO, "\n<image>\nWhat changed between the pictures?"), TWO),
    "tag twice": (but(COUNT, f"<image>\n<image>\n{Q}"), COUNT),
    "tag twice, glued": (but(COUNT, f"<image><image>\n{Q}"), COUNT),
    "tag thrice": (but(COUNT, f"<image>\n<image>\n<image>\n{Q}"), COUNT),
    "tag before and after": (but(COUNT, f"<image>\n{Q}\n<image>"), COUNT),
    "tag before and after, spaced": (but(COUNT, f"<image>\n{Q} <image>"), COUNT),
    "tag in each turn": (but(TALK, None, None, "<image>\n" + TALKED[2]), TALK),
    "tags after, one too many": (but(COUNT, f"{Q}\n<image>\n<image>"), but(COUNT, f"{Q}\n<image>")),
    "tag in a sentence twice": (
        but(COUNT, "Is <image><image> red?"),
        but(COUNT, "Is <image> red?"),
    ),
    "tag in the reply": (but(COUNT, Q, "<image>\n4"), COUNT),
    "tag closes the reply": (but(COUNT, Q, "4\n<image>"), COUNT),
    "tag after the thinking": (
        but(
            THINK,
            "What is the sum of ant and bee?",
            "<think>ant 3, bee 9. 3 + 9 = 12.</think><image>12",
        ),
        THINK,
    ),
    "nested": ({**COUNT, "conversations": [COUNT["conversations"]]}, COUNT),
    "nested thrice": ({**COUNT, "conversations": [[[COUNT["conversations"]]]]}, COUNT),
    "nested by pairs": (
        {**TALK, "conversations": [TALK["conversations"][:2], TALK["conversations"][2:]]},
        TALK,
    ),
    "nested each": ({**COUNT, "conversations": [[turn] for turn in COUNT["conversations"]]}, COUNT),
    "as JSON text": ({**COUNT, "conversations": json.dumps(COUNT["conversations"])}, COUNT),
    "in an object": ({**COUNT, "conversations": {"conversations": COUNT["conversations"]}}, COUNT),
    "turn in a turn": (but(COUNT, first(COUNT)), COUNT),
    "turn as JSON text in a turn": (but(COUNT, json.dumps(first(COUNT))), COUNT),
    "turn as JSON list in a turn": (but(COUNT, None, '[{"from": "gpt", "value": "4"}]'), COUNT),
    "other format in a turn": (
        but(COUNT, json.dumps({"role": "user", "content": first(COUNT)["value"]})),
        COUNT,
    ),
    "text in a list": (but(COUNT, [first(COUNT)["value"]]), COUNT),
    "parts": (but(COUNT, [{"type": "image"}, {"type": "text", "text": Q}]), COUNT),
    "text as JSON": (but(COUNT, json.dumps(first(COUNT)["value"])), COUNT),
    **{f"roles {a} {b}": (said_by(COUNT, a, b), COUNT) for a, b in ROLES},
    "role in talk": (said_by(TALK, "human", "gpt", "human", "bot"), TALK),
    "no name": (but_from(COUNT, 1, None), COUNT),
    "no name in talk": (but_from(TALK, 2, ""), TALK),
    "no field": (but_from(TALK, 0), TALK),
    "roles swapped": (said_by(COUNT, "gpt", "human"), COUNT),
    "roles swapped in talk": (said_by(TALK, "gpt", "human", "gpt", "human"), TALK),
    "roles swapped in text": (said_by(TEXT, "gpt", "human"), TEXT),
    "roles swapped in a caption": (said_by(CAPTION, "gpt", "human"), CAPTION),
    "turns swapped": (turned(COUNT, 1, 0), COUNT),
    "turns swapped, thinking": (turned(THINK, 1, 0), THINK),
    "turns swapped in text": (turned(TEXT, 1, 0), TEXT),
    "first turns swapped": (turned(TALK, 1, 0, 2, 3), TALK),
    "last turns swapped": (turned(TALK, 0, 1, 3, 2), TALK),
    "middle turns swapped": (turned(TALK, 0, 2, 1, 3), TALK),
    "turns reversed": (turned(TALK, 3, 2, 1, 0), TALK),
    "two users": (said_by(COUNT, "human", "human"), COUNT),
    "two users in talk": (said_by(TALK, "human", "human", "human", "gpt"), TALK),
    "two assistants": (said_by(COUNT, "gpt", "gpt"), COUNT),
    "tag alone in a turn": (
        {
            **COUNT,
            "conversations": [
                {"from": "human", "value": "<image>"},
                {"from": "human", "value": Q},
                COUNT["conversations"][1],
            ],
        },
        COUNT,
    ),
    "keys role content": (keyed(COUNT, "role", "content", ("user", "assistant")), COUNT),
    "keys role content, our names": (keyed(COUNT, "role", "content"), COUNT),
    "keys from content": (keyed(COUNT, "from", "content"), COUNT),
    "keys role value": (keyed(COUNT, "role", "value"), COUNT),
    "keys From Value": (keyed(COUNT, "From", "Value"), COUNT),
    "keys one turn": (
        {**COUNT, "conversations": [first(COUNT), {"role": "assistant", "content": "4"}]},
        COUNT,
    ),
    "conversation": (renamed(COUNT, "conversation"), COUNT),
    "Conversations": (renamed(COUNT, "Conversations"), COUNT),
    "conversatons": (renamed(COUNT, "conversatons"), COUNT),
    "values swapped": (
        {
            **COUNT,
            "conversations": [
                {"from": first(COUNT)["value"], "value": "human"},
                COUNT["conversations"][1],
            ],
        },
        COUNT,
    ),
    **{
        f"nothink {tag}": (
            but(DIRECT, None, DIRECT["conversations"][1]["value"].replace("<nothink>", tag)),
            DIRECT,
        )
        for tag in NOTHINK
    },
    **{
        f"think {tag}": (
            but(THINK, None, THINK["conversations"][1]["value"].replace("<think>", tag)),
            THINK,
        )
        for tag in OPEN
    },
    **{
        f"close {tag}": (
            but(THINK, None, THINK["conversations"][1]["value"].replace("</think>", tag)),
            THINK,
        )
        for tag in CLOSE
    },
    "both thinking tags": (
        but(THINK, None, "<thinking>ant 3, bee 9. 3 + 9 = 12.</thinking>12"),
        THINK,
    ),
    "no opening": (but(THINK, None, "ant 3, bee 9. 3 + 9 = 12.</think>12"), THINK),
    "no closing": (but(THINK, None, "<think>ant 3, bee 9. 3 + 9 = 12.12"), THINK),
    "doubled opening": (
        but(THINK, None, "<think><think>ant 3, bee 9. 3 + 9 = 12.</think>12"),
        THINK,
    ),
    "doubled tags": (
        but(THINK, None, "<think><think>ant 3, bee 9. 3 + 9 = 12.</think></think>12"),
        THINK,
    ),
    "doubled closing": (
        but(THINK, None, "<think>ant 3, bee 9. 3 + 9 = 12.</think></think>12"),
        THINK,
    ),
    "closing without slash": (but(THINK, None, "<think>ant 3, bee 9. 3 + 9 = 12.<think>12"), THINK),
    "opening with slash": (but(THINK, None, "</think>ant 3, bee 9. 3 + 9 = 12.</think>12"), THINK),
    "tags exchanged": (but(THINK, None, "</think>ant 3, bee 9. 3 + 9 = 12.<think>12"), THINK),
    **{
        f"inside {end!r}": (
            but(THINK, None, f"<think>ant 3, bee 9. 3 + 9 = 12.{end}</think>"),
            THINK,
        )
        for end in (
            "\nFinal answer: 12",
            " Final answer: 12",
            "\n\nAnswer: 12",
            " The answer is 12.",
            "\n12",
            " 12",
            " So the final answer is 12.",
            "\n**Answer:** 12",
            "\n<answer>12</answer>",
            "\n\\boxed{12}",
            " Final Answer: 12.",
        )
    },
    **{
        f"letter {said!r}": (but(PICK, None, said), PICK)
        for said in (
            "B. bee",
            "(B)",
            "The answer is (B)",
            "The answer is B.",
            "bee",
            "(B) bee",
            "B) bee",
            "Option B",
            "B.",
            "B)",
            "**B**",
            "The correct answer is B. bee",
            "Answer: B",
            "B: bee",
            "The answer is bee.",
        )
    },
    **{
        f"gold {gold!r}": (but(PICK, answer={**PICK["answer"], "gold": gold}), PICK)
        for gold in ("bee", "(B)", "b", "B.", "B. bee", "Option B", "B)", "Bee")
    },
    **{
        f"word {said!r}": (but(WORD, None, said), WORD)
        for said in (
            "The answer is red.",
            "The colour of the bar is red.",
            "Answer: red",
            "It is red.",
            "red.",
        )
    },
    **{f"text {said!r}": (but(NAMED, None, said), NAMED) for said in ("B", "B.", "(B)", "B. bee")},
    "number behind a sign": (but(COUNT, answer={"kind": "number", "gold": "= 4"}), COUNT),
    "number with commas": (
        but(row("<image>\nHow many?", "1234", answer={"kind": "number", "gold": "1,234"})),
        row("<image>\nHow many?", "1234", answer={"kind": "number", "gold": "1234"}),
    ),
    "gold in a list": (but(COUNT, answer={"kind": "number", "gold": ["4"]}), COUNT),
    "value as number": (but(COUNT, None, 4), COUNT),
    "image None": (but(TEXT, image="None"), TEXT),
    "image empty": (but(TEXT, image=""), TEXT),
    "image [None]": (but(TEXT, image=[None]), TEXT),
    "image with null": (but(COUNT, image=["a.png", None]), COUNT),
    "image as text list": (but(COUNT, image="['a.png']"), {**COUNT, "image": ["a.png"]}),
    "image nested": (but(TWO, image=[["a", "b"]]), TWO),
    "image as object": (but(COUNT, image={"path": "a.png"}), COUNT),
    "options as text": (but(PICK, options=json.dumps(PICK["options"])), PICK),
    "options as object": (but(PICK, options={"A": "ant", "B": "bee", "C": "cow"}), PICK),
    "answer as text": (but(COUNT, answer=json.dumps(COUNT["answer"])), COUNT),
    "mode": (but(COUNT, mode="no_think"), but(COUNT, mode="nothink")),
    "gold in pixels": (but(SMALL, answer={"kind": "box", "gold": "[20, 30, 120, 60]"}), SMALL),
    "box in pixels": (
        but(SMALL, None, "[20, 30, 120, 60]", answer={"kind": "box", "gold": "[20, 30, 120, 60]"}),
        SMALL,
    ),
    "reply in pixels": (but(SMALL, None, "[20, 30, 120, 60]"), SMALL),
    "gold in thousandths": (but(BOX, answer={"kind": "box", "gold": "[583, 109, 625, 118]"}), BOX),
    "box in thousandths": (
        but(
            SMALL,
            None,
            "[125, 250, 750, 500]",
            answer={"kind": "box", "gold": "[125, 250, 750, 500]"},
        ),
        SMALL,
    ),
    "reply in thousandths": (but(SMALL, None, "[125, 250, 750, 500]"), SMALL),
    "gold in hundredths": (but(SMALL, answer={"kind": "box", "gold": "[12.5, 25, 75, 50]"}), SMALL),
    "gold as x y w h": (
        but(SMALL, answer={"kind": "box", "gold": "[0.1250, 0.2500, 0.6250, 0.2500]"}),
        SMALL,
    ),
    "reply as x y w h": (but(SMALL, None, "[0.1250, 0.2500, 0.6250, 0.2500]"), SMALL),
    "gold with swapped corners": (
        but(SMALL, answer={"kind": "box", "gold": "[0.7500, 0.5000, 0.1250, 0.2500]"}),
        SMALL,
    ),
    "both with swapped corners": (
        but(
            LOW,
            None,
            "[0.7500, 0.9000, 0.5000, 0.7500]",
            answer={"kind": "box", "gold": "[0.7500, 0.9000, 0.5000, 0.7500]"},
        ),
        LOW,
    ),
    "point in pixels": (
        but(POINT, None, "[400, 600]", answer={"kind": "point", "gold": [200, 300, 1200, 1140]}),
        POINT,
    ),
    **{
        f"box {said!r}": (but(SHOWN, None, said.format("0.1250, 0.2500, 0.7500, 0.5000")), SHOWN)
        for said in ("({})", "{}", "[[{}]]", "<box>{}</box>")
    },
    "x y w h of a low box": (
        but(
            SMALL,
            None,
            "[0.1250, 0.7500, 0.3000, 0.1500]",
            answer={"kind": "box", "gold": "[0.1250, 0.7500, 0.3000, 0.1500]"},
        ),
        but(
            SMALL,
            None,
            "[0.1250, 0.7500, 0.4250, 0.9000]",
            answer={"kind": "box", "gold": "[0.1250, 0.7500, 0.4250, 0.9000]"},
        ),
    ),
    **{
        f"tag beside the field {tag}": (
            but(MODE, None, tag + MODE["conversations"][1]["value"]),
            MODE,
        )
        for tag in ("<notthink>", "/no_think", "</nothink>", "<no think>")
    },
    "mode misspelt": (but(MODE, mode="nothnik"), MODE),
    "escaped joiners": (
        row("این چیست؟", "\\u0645\\u06cc\\u200c\\u062e", image=None),
        row("این چیست؟", "می\u200cخ", image=None),
    ),
    "escaped breaks": (but(PICK, first(PICK)["value"].replace("\n", "\\n")), PICK),
    "escaped as JSON": (but(LATEX, json.dumps(first(LATEX)["value"])[1:-1]), LATEX),
    "escaped twice": (but(LATEX, json.dumps(json.dumps(first(LATEX)["value"])[1:-1])[1:-1]), LATEX),
    "escaped breaks beside LaTeX": (but(LATEX, first(LATEX)["value"].replace("\n", "\\n")), LATEX),
    "escaped quotes": (
        row('<image>\nWhat does \\"ant\\" mean?', "4"),
        row('<image>\nWhat does "ant" mean?', "4"),
    ),
    "escaped letters": (
        but(FRENCH, None, json.dumps(FRENCH["conversations"][1]["value"])[1:-1]),
        FRENCH,
    ),
    "escaped gold": (
        but(LATEX, answer={**LATEX["answer"], "gold": "\\\\frac{\\\\theta}{2}"}),
        LATEX,
    ),
    "entities": (but(CODE, "Is a &lt; b &amp; b &gt; c?\nAnswer yes or no."), CODE),
    "entities twice": (
        but(CODE, "Is a &amp;lt; b &amp;amp; b &amp;gt; c?\nAnswer yes or no."),
        CODE,
    ),
    "quotes as entities": (
        row("<image>\nWhat is Tom&#39;s &quot;bar&quot;?", "4"),
        row('<image>\nWhat is Tom\'s "bar"?', "4"),
    ),
    "mojibake": (
        but(FRENCH, None, FRENCH["conversations"][1]["value"].encode().decode("cp1252", "replace")),
        FRENCH,
    ),
    "mojibake latin-1": (
        but(FRENCH, None, "Un cafÃ© Ã\xa0 OrlÃ©ans â\x80\x94 fermÃ© lâ\x80\x99Ã©tÃ©."),
        FRENCH,
    ),
    "mojibake twice": (
        but(FRENCH, first(FRENCH)["value"].encode().decode("cp1252").encode().decode("cp1252")),
        FRENCH,
    ),
    "duplicated turns": (turned(TALK, 0, 1, 0, 1, 2, 3), TALK),
    "duplicated last turns": (turned(TALK, 0, 1, 2, 3, 2, 3), TALK),
    "first turns again at the end": (turned(TALK, 0, 1, 2, 3, 0, 1), TALK),
    "question twice": (turned(COUNT, 0, 0, 1), COUNT),
    "reply twice": (turned(COUNT, 0, 1, 1), COUNT),
    "whole conversation twice": (turned(COUNT, 0, 1, 0, 1), COUNT),
    "wrapped": (but(COUNT, WRAPPED), COUNT),
    "outer space": (but(COUNT, f"  <image>\n{Q}  \n", "\t4 \n\n"), COUNT),
    "zero width": (but(COUNT, "\ufeff<image>\nHow ma\u200bny bars are there?", "4\u200b"), COUNT),
    "control": (but(COUNT, "<image>\nHow many\x00 bars are\x07 there?"), COUNT),
    "zero width in a tag": (but(COUNT, f"<ima\u200bge>\n{Q}"), COUNT),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_row_comes_back_as_it_was(name: str) -> None:
    broken, sound = CASES[name]
    before = json.dumps(broken)
    found = repair(broken)
    assert json.dumps(found.row) == json.dumps(sound), found.changes
    assert found.changes, "a mend without a change"
    assert found.flags == (), "a mended row keeps no doubt"
    assert json.dumps(broken) == before, "the input was changed"
    again = repair(found.row)
    assert again.row == found.row and again.changes == ()
