"""Duplicates and contamination that were planted: what is found, and what is found wrongly.

    .venv/bin/python benchmarks/duplicates.py [--each 40] [--workers 2] [--seed 0]
    .venv/bin/python benchmarks/duplicates.py --only speed --pictures 2000 --pictures 10000

Pictures of seven kinds (`planted.py`, and our own scenes of shapes and geometry) with copies of
seven classes go into one store, beside near misses: the same picture with *one* value changed, and
all the others of its template. Then training records that repeat an evaluation set, a class of
verdict each, beside records that only look like it; last questions in other words
(`paraphrases.py`). Printed: recall against what is asked, by kind
and class with a Wilson interval (95 %), false pairs, seconds and pairs compared. Exit code 1 when a
figure is missed. `speed` is asked for by name: pictures a second of all kinds, a tenth of them
copies.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path
from random import Random

import paraphrases
from PIL import Image
from planted import CLASSES, COPIES, GROUPS, WORDS, Row, almost, build, drawn, png

from pellucid import store
from pellucid.base.interval import wilson
from pellucid.base.seeds import derive
from pellucid.cli.options import one_thread_each
from pellucid.data.contamination.build import find_contamination
from pellucid.data.duplicates.build import find_duplicates
from pellucid.data.questions.embedding import Embedding
from pellucid.data.synth import FAMILIES
from pellucid.recipe.data import GeometryScene, ShapesScene

SCENES = {"shapes": ShapesScene(), "geometry": GeometryScene()}
"""Kinds that differ in more than a value, and hold next to nothing."""
KINDS = (*CLASSES, *SCENES)
PARTS = ("images", "texts", "contamination", "wordings")
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}

ASKS = (
    ("What is the {} of {} in {}?", "According to the picture, tell me the {} for {} in {}."),
    ("How much {} did {} have in {}?", "Please state which {} is shown for {} in {}."),
)
"""A template and its paraphrase. Their words are all stop words of the matcher or what is asked
about, so that these rows show that the parts work together, not how well paraphrases are found."""
OTHER_WORDS = (
    "What did the {} of {} come to in {}?",
    "In {2}, {1} recorded which {0}?",
    "Could you work out the {} that {} reached by {}?",
    "Looking up {1}: its {0} back in {2} equals?",
    "Based on the data, please calculate how large the {} for {} turned out to be in {}.",
    "Referring to the table, which {} did the city of {} register during the year {}?",
)
"""Paraphrases written without a look at the stop words; the figure for paraphrases is theirs."""
VERDICTS = (
    "full", "full (paraphrase)", "full (other words)", "image+question", "text only",
    "text only (other words)", "image only",
)  # fmt: skip
FACTS = ("income", "rent", "yield", "weight", "price", "rate", "cost", "score")
TOWNS = (
    "Arles Bergen Cadiz Delft Evora Forli Ghent Hvar Izmir Jena Kotor Lugo Mons Nantes Oulu Porto "
    "Reims Siena Tartu Udine Varna Worms Xanten Ypres Zadar"
).split()


def picture(kind: str, seed: int) -> Image.Image:
    """The picture of a kind and seed."""
    if kind in CLASSES:
        return drawn(kind, seed)
    scene = FAMILIES[kind].draw(SCENES[kind], seed)
    return Image.open(BytesIO(scene.pictures[0].png)).convert("RGB")


def images(each: int, seed: int, workers: int, folder: Path, crops: bool = True) -> bool:
    """Copies and near misses of pictures; without `crops` cropped copies are not asked for."""
    rows, kinds = [], []
    for kind in KINDS:
        for number in range(each):
            at = derive(seed, "image", number) % 2**40
            first = picture(kind, at)
            planted = [("", png(first))]
            for name, (_, copy) in COPIES.items():
                rng = Random(derive(seed, kind, name, number))
                planted.append((name, copy(first, rng)))
            if kind in CLASSES and kind != "photos":
                planted.append(("one value changed", png(almost(kind, at))))
            for name, data in planted:
                rows.append(Row((data,), "What is shown?", "-"))
                kinds.append((kind, number, name))
    order = list(range(len(rows)))
    Random(derive(seed, "order")).shuffle(order)
    build(folder, [rows[at] for at in order])
    start, used = time.perf_counter(), _cpu()
    found = find_duplicates([folder], workers=workers, crops=crops)
    print(
        f"\n{len(rows)} pictures in {time.perf_counter() - start:.0f} s, {_cpu() - used:.0f} s of "
        f"processors, {found.looked_at} pairs compared"
    )
    labels = {row["id"]: row["image_cluster"] for row in _labels(folder, "duplicates")}
    cluster = {
        kinds[order[record.source.row]]: labels[record.id]
        for record in store.open(folder).records()
    }
    return _judge_images(cluster, crops)


def _cpu() -> float:
    """Seconds that this process and its finished children have used."""
    both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(sum(resource.getrusage(who)[:2]) for who in both)


def _judge_images(cluster: dict[tuple[str, int, str], str], crops: bool) -> bool:
    good = True
    false, members = Counter[str](), defaultdict[str, list[tuple[str, int, str]]](list)
    for key, name in cluster.items():
        members[name].append(key)
    hits = defaultdict[tuple[str, str], list[bool]](list)
    for (kind, number, name), own in cluster.items():
        if name in COPIES:
            hits[kind, name].append(own == cluster[kind, number, ""])
            hits["all kinds", name].append(hits[kind, name][-1])
    for keys in members.values():
        truths = Counter((kind, number, name == "one value changed") for kind, number, name in keys)
        if len(truths) > 1:
            for (kind, _, _), count in truths.items():
                false[kind] += count * (len(keys) - count)
    print(f"{'':<12}{'copy':<26}{'n':>5}{'found':>7}{'share':>8}{'95 %':>16}{'asked':>7}")
    for kind in ("all kinds", *KINDS):
        for name, (asked, _) in COPIES.items():
            need = asked if crops or "cropped" not in name else 0.0
            found, n = sum(hits[kind, name]), len(hits[kind, name])
            low, high = wilson(found / n, n)
            good &= found / n >= need
            print(
                f"{kind:<12}{name:<26}{n:>5}{found:>7}{found / n:>8.3f}{low:>9.3f}-{high:.3f}"
                f"{need:>7.2f}  {_said(found / n >= need)}"
            )
    for kind in KINDS:
        pairs = -(-false[kind] // 2)
        good &= pairs == 0
        print(f"{kind:<12}{'false pairs':<31}{pairs:>7}{'':>24}{0:>7}  {_said(not pairs)}")
    return good


def speed(count: int, seed: int, workers: int, folder: Path) -> bool:
    """How many pictures a second; one in ten is a copy of the one before."""
    rows, names = list[Row](), list(COPIES)
    for number in range(count * 9 // 10):
        kind = KINDS[number % len(KINDS)]
        first = picture(kind, derive(seed, "speed", number) % 2**40)
        rows.append(Row((png(first),), "What is shown?", "-"))
        if number % 9 == 0:
            copy = COPIES[names[number // 9 % len(names)]][1]
            rows.append(Row((copy(first, Random(number)),), "What is shown?", "-"))
    build(folder, rows)
    start, used = time.perf_counter(), _cpu()
    found = find_duplicates([folder], workers=workers)
    took, cpu = time.perf_counter() - start, _cpu() - used
    again = time.perf_counter()
    find_duplicates([folder], workers=workers)
    print(
        f"{len(rows)} pictures of {len(KINDS)} kinds: {len(rows) / took:.1f} a second with "
        f"{workers} workers ({took:.0f} s, {cpu:.0f} s of processors), {found.looked_at} pairs "
        f"compared; again in {time.perf_counter() - again:.1f} s",
        flush=True,
    )
    return True


def texts(each: int, seed: int, folder: Path) -> bool:
    """Long texts with small edits, beside texts of one template with other numbers."""
    rng = Random(derive(seed, "texts"))
    vocabulary = [f"{a}{b}" for a in WORDS for b in ("", "er", "ing", "ful", "less")]
    rows, kinds = [], []
    for number in range(each * 5):
        words = rng.choices(vocabulary, k=rng.randint(80, 200))
        edited = list(words)
        for _ in range(max(1, len(words) // 100)):
            edited[rng.randrange(len(edited))] = rng.choice(vocabulary)
        fill = [str(rng.randint(10, 99)) for _ in range(3)]
        story = (
            "A baker sells {} loaves in the morning and {} in the afternoon. On the next day the "
            "shop stays closed, and on the third day {} loaves are left over from the evening "
            "before, which the neighbour takes. How many loaves were sold on the first day in all?"
        ).format(*fill)
        texts = [
            ("", " ".join(words)),
            ("exact", "  " + " ".join(words).upper() + "."),
            ("edited", " ".join(edited)),
            ("template", story),
        ]
        for name, text in texts:
            rows.append(Row((), text, str(number)))
            kinds.append((number, name))
    build(folder, rows)
    find_duplicates([folder])
    labels = {row["id"]: row["text_cluster"] for row in _labels(folder, "duplicates")}
    records = store.open(folder).records()
    cluster = {kinds[record.source.row]: labels[record.id] for record in records}
    good = True
    for name, need in (("exact", 0.99), ("edited", 0.95)):
        hits = [cluster[n, name] == cluster[n, ""] for n in range(each * 5)]
        share = sum(hits) / len(hits)
        good &= share >= need
        print(
            f"{'texts':<12}{name:<28}{len(hits):>5}{share:>8.3f}{need:>8.2f}"
            f"  {_said(share >= need)}"
        )
    groups = Counter(own for (_, name), own in cluster.items() if name == "template")
    same_fill = len({r.messages[0].text for r in records if kinds[r.source.row][1] == "template"})
    pairs = same_fill - len(groups)
    print(
        f"{'texts':<12}{'false joins of a template':<28}{'':>5}{pairs:>8}{0:>8}  {_said(not pairs)}"
    )
    return good and not pairs


def contamination(each: int, seed: int, workers: int, folder: Path) -> bool:
    """An evaluation set, and training records that repeat it in a part or not at all."""
    rng = Random(derive(seed, "contamination"))
    held, rows, truth = [], [], []
    kinds = list(CLASSES)
    facts = [(f, t, y) for f in FACTS for t in TOWNS for y in range(1980, 2000)]
    drawn_facts = iter(rng.sample(facts, each * 20))

    def plant(kind: str, verdict: str, row: Row) -> None:
        rows.append(row)
        truth.append((GROUP_OF[kind], verdict))

    for number in range(each * len(kinds)):
        kind, at = kinds[number % len(kinds)], derive(seed, "eval", number) % 2**40
        ask, other_words = ASKS[number % 2]
        fact, other_fact = next(drawn_facts), next(drawn_facts)
        gold = str(rng.randint(100, 999))
        picture, elsewhere = drawn(kind, at), drawn(kind, at + 1)
        held.append(Row((png(picture),), ask.format(*fact), gold))
        copies = [name for name in COPIES if name != "other file, same pixels"]
        copy = COPIES[rng.choice(copies)][1](picture, rng)
        wrong = str(int(gold) + 1000)
        plant(kind, "full", Row((copy,), ask.format(*fact), gold))
        plant(kind, "full (paraphrase)", Row((copy,), other_words.format(*fact), gold))
        plant(kind, "image+question", Row((copy,), other_words.format(*fact), wrong))
        plant(kind, "image only", Row((copy,), ask.format(*other_fact), gold))
        plant(kind, "text only", Row((png(elsewhere),), other_words.format(*fact), gold))
        free = OTHER_WORDS[number % len(OTHER_WORDS)].format(*fact)
        plant(kind, "full (other words)", Row((copy,), free, gold))
        plant(kind, "text only (other words)", Row((png(elsewhere),), free, gold))
        plant(kind, "clean", Row((png(elsewhere),), ask.format(*other_fact), gold))
        if kind != "photos":
            plant(kind, "clean", Row((png(almost(kind, at)),), ask.format(*other_fact), gold))
    build(folder / "eval", held, split="test")
    build(folder / "train", rows)
    start = time.perf_counter()
    find_contamination([folder / "train"], [folder / "eval"], workers=workers)
    print(f"\n{len(rows)} records against {len(held)} in {time.perf_counter() - start:.0f} s")
    given = {
        row["id"]: row["verdict"] or "clean" for row in _labels(folder / "train", "contamination")
    }
    pairs = [
        (*truth[record.source.row], given[record.id])
        for record in store.open(folder / "train").records()
    ]
    return _judge_verdicts(pairs)


def _judge_verdicts(pairs: list[tuple[str, str, str]]) -> bool:
    good = True
    print(f"{'':<12}{'verdict':<26}{'n':>5}{'recall':>8}{'precision':>11}{'asked':>7}")
    for group in GROUPS:
        own = [(planted, given) for kind, planted, given in pairs if kind == group]
        for verdict in VERDICTS:
            plain = verdict.partition(" (")[0]
            planted = [given == plain for planted, given in own if planted == verdict]
            said = [planted.partition(" (")[0] == plain for planted, given in own if given == plain]
            recall = sum(planted) / len(planted)
            precision = sum(said) / max(1, len(said))
            met = recall >= 0.95 and precision >= 0.95
            good &= met
            print(
                f"{group:<12}{verdict:<26}{len(planted):>5}{recall:>8.3f}{precision:>11.3f}"
                f"{0.95:>7.2f}  {_said(met)}"
            )
        false = sum(given != "clean" for planted, given in own if planted == "clean")
        good &= not false
        print(
            f"{group:<12}{'clean, but flagged':<26}{'':>5}{false:>8}{'':>11}{0:>7}"
            f"  {_said(not false)}"
        )
    return good


def _labels(folder: Path, op: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = store.read_label(folder, op, 2).to_pylist()
    return rows


def _said(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--each", type=int, default=40, help="pictures of each class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=(*PARTS, "speed"), action="append")
    parser.add_argument(
        "--pictures", type=int, action="append", help="for speed, any number of times"
    )
    parser.add_argument("--no-crops", action="store_true", help="for images: look for no crops")
    parser.add_argument("--embedding", help="FILE.py:FUNCTION, for the wordings")
    parser.add_argument("--alike", type=float, default=0.9)
    told = parser.parse_args()
    one_thread_each()  # in the processes that are started, as under `pellucid data`
    only = told.only or PARTS
    print(f"seed {told.seed}, {told.each} pictures of each class")
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (told.pictures or [2000]) if "speed" in only else []:
            speed(count, told.seed, told.workers, folder / f"speed-{count}")
        if "images" in only:
            good &= images(told.each, told.seed, told.workers, folder / "images", not told.no_crops)
        if "texts" in only:
            good &= texts(told.each, told.seed, folder / "texts")
        if "contamination" in only:
            few = max(1, told.each // 4)
            good &= contamination(few, told.seed, told.workers, folder / "contamination")
        if "wordings" in only:
            own = Embedding(told.embedding, told.alike) if told.embedding else None
            good &= paraphrases.measure(folder / "wordings", told.seed, own)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
