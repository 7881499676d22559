"""What forms of clean rows share: pictures with sizes, tags at any place, speakers, thinking.

Leaves out on purpose: what is asked (`clean.py`).
"""

from random import Random
from typing import Any

from pellucid.data.faults.base import TAG, Row
from pellucid.data.faults.words import SYSTEM

SIZES = (
    (320, 240), (400, 300), (512, 512), (640, 480), (800, 600), (1280, 720), (1440, 2560),
    (1600, 1200), (1920, 1080), (2480, 3508),
)  # fmt: skip
"""Width and height in pixels: some below 1000, so that a 0-1000 coordinate may lie outside."""


def row(
    rng: Random,
    number: int,
    said: list[tuple[str, str]],
    shown: int = 0,
    size: tuple[int, int] | None = None,
    **fields: Any,
) -> Row:
    """A row of these exchanges (question, reply), its `shown` pictures named by its number."""
    human, gpt = ("user", "assistant") if rng.random() < 0.08 else ("human", "gpt")
    talk = [
        {"from": human if at % 2 == 0 else gpt, "value": text}
        for at, text in enumerate(text for pair in said for text in pair)
    ]
    made: Row = {"id": f"{fields.get('task', 'row')}-{number:07d}", "conversations": talk}
    if rng.random() < 0.1:
        talk.insert(0, {"from": "system", "value": rng.choice(SYSTEM)})
    # Part of it drawn, so that two sets in one store do not share names.
    stem = f"images/{number:07d}-{rng.getrandbits(32):08x}"
    names = [f"{stem}_{at}.png" for at in range(shown)]
    if len(names) == 1 and rng.random() < 0.85:
        made["image"] = names[0]
    elif names or rng.random() < 0.2:
        made["image"] = names
    elif rng.random() < 0.5:
        made["image"] = None
    if names and (size or rng.random() < 0.7):
        made["image_size"] = [list(size or rng.choice(SIZES)) for _ in names]
    if rng.random() < 0.5:
        made["licence"] = "CC0-1.0"
    if fields.get("mode") == "nothink" and rng.random() < 0.4:
        # The other way to say so, and the one of the report: a tag before the reply.
        talk[-1]["value"] = "<nothink>" + talk[-1]["value"]
        del fields["mode"]
    return {**made, **fields}


def tagged(rng: Random, asked: str, shown: int = 1) -> str:
    """The question with its tags somewhere; a picture without any tag is a fault of its own."""
    before = "".join(f"{TAG}\n" for _ in range(shown))
    draw = rng.random()
    if draw < 0.6:
        return before + asked
    if draw < 0.75:
        return f"{asked}\n" + "\n".join([TAG] * shown)
    if draw < 0.8:
        return f"{asked}\n\n" + "\n".join([TAG] * shown)
    if draw < 0.88:
        return TAG * shown + asked
    where = " and ".join([TAG] * shown)
    return f"Look at {where}. {asked}"


def thinking(rng: Random, steps: str, answer: str) -> str:
    """A reply that thinks first; mostly in the shape `<think>...</think>answer`."""
    steps = f"\n{steps}\n" if rng.random() < 0.2 else steps
    gap = rng.choice(("", "", "", "\n", "\n\n"))
    return f"<think>{steps}</think>{gap}{answer}"


def box(rng: Random, size: tuple[int, int], on_thousand: bool) -> list[float]:
    """`[x1, y1, x2, y2]` in [0, 1]: whole pixels of the picture, or whole thousandths of it."""
    found = []
    for side in size:
        steps = 1000 if on_thousand else side
        low = rng.randrange(0, int(steps * 0.9))
        high = rng.randrange(low + max(steps // 50, 2), steps + 1)
        found.append((round(low / steps, 4), round(high / steps, 4)))
    (x1, x2), (y1, y2) = found
    return [x1, y1, x2, y2]


def written(values: list[float]) -> str:
    """Coordinates as the house writes them.

    >>> written([0.583, 0.109])
    '[0.5830, 0.1090]'
    """
    return "[" + ", ".join(f"{value:.4f}" for value in values) + "]"
