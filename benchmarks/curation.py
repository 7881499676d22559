"""Text filters, MinHash and image hashes: ours beside Data-Juicer and datatrove, in one run.

    .venv/bin/python benchmarks/curation.py --peer PEERS_VENV/bin/python [--records 100000]
        [--images 100000] [--steps filters minhash images] [--repeats 1] [--workers 2]
        [--no-crops]

All get the same generated records, and the peers' settings are printed (`curation_rules.json`).
Ours starts from a record store and ends with labels on disk, read again and compared with the
bounds; process starts count. Data-Juicer's seconds are those of its operators in memory: imports,
loading and export are not counted. datatrove reads JSON lines, one file for each task, and writes
the kept ones. Runs alternate; medians.

Asked: three times as fast as each peer; for filters the same rows kept but for the reasons that are
printed; for the others at least as many of the planted pairs. Exit code 1 when that is missed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from multiprocessing import forkserver
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image
from planted import Row, build

from pellucid import store
from pellucid.base.seeds import derive
from pellucid.cli.options import one_thread_each
from pellucid.data.build import import_source
from pellucid.data.duplicates.images import Clusters, cluster_images
from pellucid.data.duplicates.texts import cluster_texts, column, signature_shards
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.data.ops.run import run_operator
from pellucid.data.ops.text_signature import TextSignature
from pellucid.data.ops.text_stats import TextStats
from pellucid.data.runners.local import kept
from pellucid.recipe.rows import LlavaJsonSource

HERE = Path(__file__).resolve().parent
RULES = json.loads((HERE / "curation_rules.json").read_text("utf-8"))
ASKED = 3.0
Kept = set[int]


class Run(NamedTuple):
    """One run of one program."""

    seconds: float
    cpu_seconds: float
    """Of all cores; what another program takes does not count."""
    kept: Kept
    told: dict[str, Any]


def texts(records: int, seed: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Texts of 60 to 120 words in lines and paragraphs, and which were made from which.

    A tenth are edited copies of others; a tenth have a fault that a filter looks for.
    """
    rng = Random(derive(seed, "curation"))
    ends = ("", "ra", "nto", "sil")
    vocabulary = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ends]
    originals = records * 9 // 10
    made, pairs = [], []
    for at in range(originals):
        words = rng.choices(vocabulary, k=rng.randint(60, 120))
        made.append(_faulty(rng, words) if at % 9 == 0 else _laid_out(rng, words))
    for at in range(originals, records):
        source = rng.randrange(originals)
        while source % 9 == 0:
            source = rng.randrange(originals)
        words = made[source].split(" ")
        words[rng.randrange(len(words))] = rng.choice(vocabulary)
        made.append(" ".join(words))
        pairs.append((source, at))
    return made, pairs


def _laid_out(rng: Random, words: list[str]) -> str:
    """Sentences, some on a new line."""
    out = []
    for at, word in enumerate(words):
        end = at % 12 == 11
        gap = rng.choice((" ", "\n", "\n\n")) if end else " "
        out.append(f"{word}{'.' if end else ''}{gap}")
    return "".join(out).strip()


def _faulty(rng: Random, words: list[str]) -> str:
    """A text that a filter should find; some only nearly so."""
    plain, kind = _laid_out(rng, words), rng.randrange(7)
    some = " ".join(words[: rng.randint(4, 30)])
    faulty = (
        " ".join([*words[:30], *[some] * rng.randint(1, 5)]),
        "\n".join([plain, *[some] * rng.randint(1, 6)]),
        some,
        " ".join(f"{word} {rng.randint(10, 9999)}" for word in words),
        " ".join(f"#{word}" if rng.random() < 0.15 else word for word in words),
        "\n".join(f"- {' '.join(words[at : at + 6])}" for at in range(0, len(words), 6)),
        "\n".join(f"{' '.join(words[at : at + 8])}..." for at in range(0, len(words), 8)),
    )
    return faulty[kind]


def filtered(folder: Path, workers: int, bounds: dict[str, tuple[float, float]]) -> set[str]:
    """Measure, read the labels, compare; the ids of the records within all bounds."""
    run_operator(folder, TextStats("question"), "local", workers)
    found = store.read_label(folder, "question_stats", 1)
    inside = np.ones(len(found), bool)
    for name, (least, most) in bounds.items():
        values = found[name].to_numpy()
        inside &= (values >= least) & (values <= most)
    return set(found["id"].filter(pa.array(inside)).to_pylist())


def gopher_bounds() -> dict[str, tuple[float, float]]:
    """Datatrove's bounds on our columns."""
    q, r = RULES["gopher_quality"], RULES["gopher_repetition"]
    most = {
        "hashes": q["max_symbol_word_ratio"], "ellipses": q["max_symbol_word_ratio"],
        "bullet_lines": q["max_bullet_lines_ratio"],
        "ellipsis_lines": q["max_ellipsis_lines_ratio"], "repeated_lines": r["dup_line_frac"],
        "repeated_paragraphs": r["dup_para_frac"],
        "repeated_line_characters": r["dup_line_char_frac"],
        "repeated_paragraph_characters": r["dup_para_char_frac"],
        **{f"top_{n}_gram": share for n, share in r["top_n_grams"]},
        **{f"repeated_{n}_grams": share for n, share in r["dup_n_grams"]},
    }  # fmt: skip
    return {
        "words": (q["min_doc_words"], q["max_doc_words"]),
        "mean_word_length": (q["min_avg_word_length"], q["max_avg_word_length"]),
        "letter_word_share": (q["max_non_alpha_words_ratio"], 1),
        **{name: (0, bound) for name, bound in most.items()},
    }


def juicer_bounds() -> dict[str, tuple[float, float]]:
    """Data-Juicer's bounds on our columns."""
    names = {
        "text_length": "characters", "words_num": "letter_words",
        "average_line_length": "mean_line_length", "maximum_line_length": "longest_line",
        "alphanumeric": "alphanumeric", "special_characters": "special",
        "word_repetition": "word_repetition", "character_repetition": "character_repetition",
    }  # fmt: skip
    bounds = {}
    for name, own in names.items():
        rule = RULES["juicer"][f"{name}_filter"]
        least, most = (rule[key] for end in ("min_", "max_") for key in rule if key[:4] == end)
        bounds[own] = (least, most)
    return bounds


def peer(python: str, step: str, source: Path, work: Path, workers: int) -> Run:
    """One step of a peer."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    words = [python, HERE / "curation_peer.py", step, source, work, str(workers)]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "LOGURU_LEVEL": "WARNING"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=quiet, cwd=work)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((work / "told.json").read_text("utf-8"))
    kept = {int(id) for id in told.pop("kept")}
    return Run(told["seconds"], told["cpu_seconds"], kept, told)


def timed(folder: Path, work: Callable[[], Any]) -> tuple[Run, Any]:
    """Some work on a store without labels, and what it returns."""
    shutil.rmtree(folder / "labels", ignore_errors=True)
    start, cores = time.perf_counter(), _cpu_seconds()
    found = work()
    return Run(time.perf_counter() - start, _cpu_seconds() - cores, set(), {}), found


def _cpu_seconds() -> float:
    """Of this process, of those that it waited for, and of the server that it forks others from."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    served = 0.0
    if server is not None:
        told = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        served = sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")
    return sum(os.times()[:4]) + served


def median(runs: list[Run], cores: bool = False) -> float:
    """Seconds."""
    return statistics.median(run.cpu_seconds if cores else run.seconds for run in runs)


def show(name: str, peer_runs: list[Run], own: list[Run]) -> bool:
    """Print two sides; whether ours is fast enough."""
    told = peer_runs[0].told
    ratio = median(peer_runs) / median(own)
    for who, runs in ((name, peer_runs), ("ours", own)):
        each = ", ".join(f"{run.seconds:.1f}" for run in runs)
        cores = median(runs, cores=True)
        print(f"  {who:<24} {median(runs):8.1f} s  of {each}; {cores:.1f} s of a core")
    of_cores = median(peer_runs, cores=True) / median(own, cores=True)
    print(f"  ratio of medians {ratio:.1f} ({of_cores:.1f} by time of a core), asked {ASKED:.0f}")
    print(f"  settings of {name}: {json.dumps(told.get('settings'))} {told.get('versions')}")
    return ratio >= ASKED


def filters(home: Path, told: argparse.Namespace, rows: dict[str, int], made: list[str]) -> bool:
    """The same bounds on the same numbers; which rows are kept by one side alone."""
    good = True
    sides = (
        ("juicer_filters", "documents/part-0.jsonl", juicer_bounds()),
        ("trove_filters", "split", gopher_bounds()),
        ("trove_filters_by_spaces", "split", gopher_bounds()),
    )
    for step, source, bounds in sides:
        theirs, own = [], []
        for _ in range(told.repeats):
            work = lambda bounds=bounds: filtered(home / "store", told.workers, bounds)  # noqa: E731
            run, ids = timed(home / "store", work)
            own.append(run._replace(kept={rows[id] for id in ids}))
            theirs.append(peer(told.peer, step, home / source, home / "work", told.workers))
        print(f"text filters: {step}, {told.records} texts")
        good &= show(step, theirs, own)
        only = [sorted(own[0].kept - theirs[0].kept), sorted(theirs[0].kept - own[0].kept)]
        both = len(own[0].kept & theirs[0].kept)
        print(f"  kept by both {both}, by ours alone {len(only[0])}, by it alone {len(only[1])}")
        for some in only:
            print(*(f"    {made[at][:70]!r}" for at in some[:2]), sep="\n", end="\n" * bool(some))
    return good


def minhash(
    home: Path, told: argparse.Namespace, rows: dict[str, int], pairs: list[tuple[int, int]]
) -> bool:
    """Runs of five words; theirs by 14 bands of 8 minima, ours by its own 20 of 6 and a look."""
    operator, good = TextSignature(), True

    def cluster() -> dict[int, tuple[int, ...]]:
        run_operator(home / "store", operator, "local", told.workers)
        shards = signature_shards([home / "store"], operator)
        found = cluster_texts(shards, operator)
        named: dict[int, tuple[int, ...]] = {}
        for shard in shards:
            (ids,), names = column(shard, operator, ["id"]), found.names(shard, operator)
            named |= {rows[id]: tuple(one) for id, one in zip(ids, names.tolist(), strict=True)}
        return named

    for step, source in (("juicer_minhash", "documents/part-0.jsonl"), ("trove_minhash", "split")):
        theirs, own = [], []
        for _ in range(told.repeats):
            run, of_row = timed(home / "store", cluster)
            own.append(run)
            theirs.append(peer(told.peer, step, home / source, home / "work", told.workers))
        mine = sum(of_row[a] == of_row[b] for a, b in pairs)
        removed = set(range(told.records)) - theirs[0].kept
        found = sum(a in removed or b in removed for a, b in pairs)
        beyond = told.records - len(set(of_row.values())) - mine
        print(f"MinHash: {step}, {told.records} texts, {len(pairs)} edited copies")
        good &= show(step, theirs, own) and mine >= found
        print(f"  pairs found: ours {mine} (removes {beyond} others), it {found}")
        print(f"  (removes {len(removed) - found} others)", flush=True)
    return good


def pictures(folder: Path, count: int, seed: int) -> list[tuple[int, int]]:
    """JPEG files of coloured clouds, a tenth of them copies with another quality or size."""
    folder.mkdir()
    rng, pairs, drawn = Random(derive(seed, "pictures")), [], count * 9 // 10
    for at in range(count):
        source = at if at < drawn else rng.randrange(drawn)
        noise = np.random.default_rng(derive(seed, "picture", source)).integers(0, 256, (9, 12, 3))
        picture = Image.fromarray(noise.astype(np.uint8)).resize(
            (480, 360), Image.Resampling.BICUBIC
        )
        quality = 85
        if source != at:
            pairs.append((source, at))
            quality = rng.randint(50, 95)
            if at % 2:
                factor = rng.uniform(0.6, 1.4)
                picture = picture.resize((round(480 * factor), round(360 * factor)))
        out = BytesIO()
        picture.save(out, "JPEG", quality=quality)
        (folder / f"{at}.jpg").write_bytes(out.getvalue())
    return pairs


def imported(folder: Path, count: int, to: Path, workers: int) -> float:
    """Import rows that show a picture each, as `data import` does; the seconds that takes."""
    rows = folder.with_suffix(".rows.jsonl")
    with rows.open("w", encoding="utf-8") as file:
        for at in range(count):
            said = [{"from": "human", "value": f"<image>\n{at}"}, {"from": "gpt", "value": "-"}]
            row = {"id": at, "image": f"{folder.name}/{at}.jpg", "conversations": said}
            file.write(json.dumps(row) + "\n")
    options = LlavaJsonSource(path=str(rows), dataset="pictures", licence="CC0-1.0")
    start = time.perf_counter()
    import_source(options, 0, to, workers)
    return time.perf_counter() - start


def images(home: Path, told: argparse.Namespace) -> bool:
    """Copies of pictures. Theirs by equal hashes; ours as `data dedup` does, with crops or without.

    Our perceptual hashes are made when pictures come into a store; that time is told too. Without
    crops the work is the peer's, but that each pair is looked at; with crops it is more.
    """
    folder, own_store = home / "pictures", home / "shown"
    pairs = pictures(folder, told.images, told.seed)
    files = [folder / f"{at}.jpg" for at in range(told.images)]
    lines = (
        json.dumps({"id": at, "text": "", "images": [str(one)]}) for at, one in enumerate(files)
    )
    listed = home / "pictures.jsonl"
    listed.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    coming_in = imported(folder, told.images, own_store, told.workers)
    opened = store.open(own_store)
    shown = [(one.source.row, one.images[0].sha256) for one in opened.records()]
    kinds = (False,) if told.no_crops else (False, True)
    theirs, own, found = [], {crops: list[Run]() for crops in kinds}, dict[bool, Clusters]()
    for _ in range(told.repeats):
        for crops, runs in own.items():
            work = lambda crops=crops: copies(own_store, told.workers, crops)  # noqa: E731
            run, found[crops] = timed(own_store, work)
            runs.append(run)
        step = "juicer_images"
        theirs.append(peer(told.peer, step, listed, home / "work", told.workers))
    removed = set(range(told.images)) - theirs[0].kept
    hers = sum(a in removed or b in removed for a, b in pairs)
    print(
        f"image hashes: {told.images} pictures, {len(pairs)} copies; {coming_in:.1f} s to come in"
    )
    good = True
    for crops, runs in own.items():
        names = found[crops].names_of(pa.array([sha256 for _, sha256 in shown])).tolist()
        of_row = {row: name for (row, _), name in zip(shown, names, strict=True)}
        mine = sum(of_row[a] == of_row[b] for a, b in pairs)
        others = told.images - len(set(of_row.values())) - mine
        print(f" {'with' if crops else 'without'} crops")
        good &= show("juicer_images", theirs, runs) and mine >= hers
        both = median(theirs) / (median(runs) + coming_in)
        print(f"  ratio with coming in (`data import`: decoding, hashing) counted: {both:.1f}")
        print(f"  pairs found: ours {mine} ({found[crops].looked_at} looked at), it {hers}")
        print(f"  others joined: ours {others}, it {len(removed) - hers}", flush=True)
    return good


def copies(folder: Path, workers: int, crops: bool) -> Clusters:
    """What `data dedup` does about pictures."""
    with kept():
        if crops:
            run_operator(folder, ImageSignature(), "local", workers)
        return cluster_images([folder], "local", workers, crops)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", required=True, help="Python of the peers' environment")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--no-crops", action="store_true", help="only what the peer does too")
    parser.add_argument("--steps", nargs="*", default=["filters", "minhash", "images"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    one_thread_each()  # in the processes that are started, as under `pellucid data`
    good = True
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        made, pairs = texts(told.records, told.seed)
        lines = [json.dumps({"text": text, "id": str(at)}) + "\n" for at, text in enumerate(made)]
        for folder, parts in (("documents", 1), ("split", told.workers)):
            (home / folder).mkdir()
            for part in range(parts):
                path = home / folder / f"part-{part}.jsonl"
                path.write_text("".join(lines[part::parts]), "utf-8")
        build(home / "store", [Row((), text, "-") for text in made], 2000)
        rows = {one.id: one.source.row for one in store.open(home / "store").records()}
        print(
            f"{os.cpu_count()} cores, {told.workers} processes each, seed {told.seed}", flush=True
        )
        if "filters" in told.steps:
            good &= filters(home, told, rows, made)
        if "minhash" in told.steps:
            good &= minhash(home, told, rows, pairs)
        if "images" in told.steps:
            good &= images(home, told)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
