"""Questions in other words, and others with the same gold, through both commands.

For every question of `wordings/*.txt` an evaluation record with a picture of its own; in training
each of its other wordings, and each other question, with this picture and gold, with another gold,
and with another picture. The pictures are noise, so that only words decide. `duplicates.py` prints
it.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image
from planted import Row, build, png

from pellucid import store
from pellucid.base.seeds import derive
from pellucid.data.contamination.build import OP, VERSION, find_contamination
from pellucid.data.duplicates import build as duplicates
from pellucid.data.questions.embedding import Embedding

FOLDER = Path(__file__).with_name("wordings")
SETS = {
    "tuned on": ("tuned", "tuned2", "stranger_seen"),
    "held out": ("held_out",),
    "unseen": ("stranger_unseen",),
    "templates": ("templates",),
    "fresh": ("templates_unseen",),
}
"""Who wrote `stranger_*` had not read the rule; nobody tunes on the unseen half of it."""
PLANTED = {
    ("+", "here"): "full", ("+", "other gold"): "image+question", ("+", "elsewhere"): "text only",
    ("-", "here"): "image only", ("-", "other gold"): "image only", ("-", "elsewhere"): "clean",
}  # fmt: skip
"""By line of the file and what the record shows."""
ASKED = 0.95


class Case(NamedTuple):
    """A question, its gold, and others by the sign of their line."""

    group: str
    question: str
    gold: str
    others: list[tuple[str, str]]


def read(name: str) -> list[Case]:
    """The cases of a file."""
    cases, group = [], ""
    for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines():
        sign, text = line[:1], line[2:].replace("\\n", "\n")
        if sign == "=":
            question, _, gold = text.partition(" | ")
            cases.append(Case(group, question, gold, []))
        elif sign in ("+", "-") and sign:
            cases[-1].others.append((sign, text))
        elif sign and sign != "#":
            group = line
    return cases


def _noise(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return png(Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC))


def measure(folder: Path, seed: int, embedding: Embedding | None) -> bool:
    """Print recall and precision of every set, class and verdict; whether all reach `ASKED`."""
    good = True
    print(f"\n{'':<10}{'':<11}{'':<18}{'n':>5}{'recall':>8}{'precision':>11}{'of':>5}{'asked':>7}")
    for label, names in SETS.items():
        cases = [case for name in names for case in read(name)]
        held, rows, truth = [], [], []
        for number, case in enumerate(cases):
            picture = _noise(derive(seed, label, number) % 2**32)
            held.append(Row((picture,), case.question, case.gold))
            for at, (sign, text) in enumerate(case.others):
                elsewhere = _noise(derive(seed, label, number, at, "elsewhere") % 2**32)
                for where, shown, gold in (
                    ("here", picture, case.gold),
                    ("other gold", picture, f"not {case.gold}"),
                    ("elsewhere", elsewhere, case.gold),
                ):
                    rows.append(Row((shown,), text, gold))
                    truth.append((case.group, sign, where, number))
        home = folder / label.replace(" ", "-")
        order = list(range(len(rows)))
        Random(derive(seed, label)).shuffle(order)
        build(home / "eval", held, split="test")
        build(home / "train", [rows[at] for at in order])
        find_contamination([home / "train"], [home / "eval"], embedding=embedding)
        duplicates.find_duplicates([home / "train", home / "eval"], embedding=embedding)
        good &= _judge(home, label, [truth[at] for at in order])
    return good


def _judge(home: Path, label: str, truth: list[tuple[str, str, str, int]]) -> bool:
    good = True
    verdicts = {row["id"]: row["verdict"] or "clean" for row in _labels(home / "train", OP)}
    clusters = {
        row["id"]: row["vqa_cluster"]
        for name in ("train", "eval")
        for row in _labels(home / name, duplicates.OP)
    }
    own = {record.source.row: clusters[record.id] for record in store.open(home / "eval").records()}
    given = [
        (*truth[record.source.row], verdicts[record.id], clusters[record.id])
        for record in store.open(home / "train").records()
    ]
    for group in (*sorted({one[0] for one in given}), "all"):
        mine = [one for one in given if group in (one[0], "all")]
        planted, said, hits = Counter[str](), Counter[str](), Counter[str]()
        for _, sign, where, number, verdict, cluster in mine:
            truly = PLANTED[sign, where]
            planted[truly] += 1
            said[verdict] += 1
            hits[truly] += truly == verdict
            if where == "here":
                planted["one vqa_cluster"] += sign == "+"
                said["one vqa_cluster"] += cluster == own[number]
                hits["one vqa_cluster"] += sign == "+" and cluster == own[number]
        for name, n in planted.items():
            recall, precision = hits[name] / n, hits[name] / max(1, said[name])
            met = recall >= ASKED and precision >= ASKED
            good &= met
            print(
                f"{label:<10}{group:<11}{name:<18}{n:>5}{recall:>8.3f}{precision:>11.3f}"
                f"{said[name]:>5}{ASKED:>7.2f}  {'met' if met else 'MISSED'}"
            )
    return good


def _labels(folder: Path, op: str) -> list[dict[str, str]]:
    version = VERSION if op == OP else duplicates.VERSION
    rows: list[dict[str, str]] = store.read_label(folder, op, version).to_pylist()
    return rows
