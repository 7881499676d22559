"""`kill -9` in the middle of every verb of `pellucid data`, then the same command again.

The folder then is what an unbroken call leaves, every file of it and no other. The moments are a
seeded choice of a verb's file operations and SQL statements (`forks.py`), and writes that end in
their middle. A verb without a row in the tables below fails the first test.
"""

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml
from PIL import Image
from tests.e2e.command import untimed
from tests.unit.data.teacher.things import endpoint_file
from tests.unit.endpoint.loopback import Act, Body, completion, serving

from pellucid.cli.data import app

FORKS = Path(__file__).with_name("forks.py")
SEED, KILLS = 6, 3
LIMITS = (1, 2000)
"""Bytes that no file may outgrow: a larger one kills the process in the middle of its write, or
fails as on a full disk."""

READ_ONLY = {
    "check": ["rows.jsonl"],
    "catalog": ["cosyn-400k"],
    "show": ["r"],
    "diff": ["store", "other"],
    "trace": ["store", "ID"],
}
WRITING = {
    "import": ["rows.jsonl", "--to", "new", "--licence", "MIT", "--drop", "--set", "repair=true"],
    "repair": ["rows.jsonl", "--to", "mended.jsonl"],
    "stats": ["store", "--page", "stats.html"],
    "card": ["store", "--to", "card.md"],
    "triage": ["store"],
    "teach": ["store", "--endpoint", "teacher.yaml", "--to", "out/taught.jsonl", "--split", "all"],
    "measure": ["store"],
    "dedup": ["store", "other"],
    "decontaminate": ["store", "--against", "other", "--page", "evidence.html"],
    "mix": ["r.yaml", "instruct"],
    "export": ["store", "--to", "out/rows.jsonl"],
    "publish": ["store", "--to", "new", "--allow", "MIT"],
    "rebuild": ["public", "--from", "r.yaml", "--to", "new"],
}
ELSEWHERE = {"review": "test_review.py::test_a_killed_server_loses_nothing"}


class Ran(NamedTuple):
    """One run of the command."""

    code: int
    moments: list[str]
    said: str


class Forks:
    """The process that is forked for every run."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, cwd: Path, argv: Sequence[str], **how: Any) -> Ran:
        assert self.process.stdin and self.process.stdout
        job = {"cwd": str(cwd), "argv": list(argv), **how}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return Ran(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


def reply(_: int, body: Body) -> Act:
    """A teacher whose answer depends on the question alone."""
    return Act(body=completion(hashlib.sha256(json.dumps(body).encode()).hexdigest()[:8]))


@pytest.fixture(scope="module")
def world(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with rows, two stores, a published one, a recipe with its run, and a teacher."""
    folder = tmp_path_factory.mktemp("killed") / "world"
    write_rows(folder)
    own = {"kind": "llava_json", "path": "rows.jsonl", "dataset": "rows", "licence": "MIT",
           "on_fault": "drop"}  # fmt: skip
    mix = {"take": [{"source": "store"}], "think_share": None}
    recipe = {"extends": "smoke", "name": "r",
              "data": {"sources": {"store": own, "charts": {"scenes": 4}, "shapes": {"scenes": 4},
                                   "real": {**own, "dataset": "again"}},
                       "mixes": {"instruct": mix}}}  # fmt: skip
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    with serving(reply) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        common = ["--licence", "MIT", "--drop"]
        for words in (
            ["import", "rows.jsonl", "--to", "store", *common],
            ["import", "rows.jsonl", "--to", "other", *common, "--dataset", "exam", "--seed", "4"],
            ["publish", "store", "--to", "public", "--allow", "CC0-1.0"],
        ):
            done = forks.run(folder, ["data", *words])
            assert done.code == 0, done.said
        yield folder


def write_rows(folder: Path) -> None:
    """Eleven rows of two licences, ten of them sound; some share a picture or have none."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for at in range(11):
        name = f"images/{at // 2}.png"
        Image.new("RGB", (40, 30 + at), (20 * at, 60, 255 - 20 * at)).save(folder / name)
        said = [{"from": "human", "value": f"<image>\nHow wide is number {at}?"},
                {"from": "gpt", "value": f"It is {at} wide &amp; red."}]  # fmt: skip
        licence = "CC0-1.0" if at % 3 else "MIT"
        rows.append({"id": str(at), "image": name, "conversations": said, "licence": licence,
                     "answer": {"kind": "number", "gold": str(at)}})  # fmt: skip
    rows[3]["image"] = "images/none.png"
    del rows[7]["image"]
    rows[7]["conversations"][0]["value"] = "What is seven?"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def work(world: Path) -> Path:
    return fresh(world)


def fresh(world: Path) -> Path:
    """A new copy of the world, always at the same place."""
    folder = world.with_name("work")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world, folder)
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder, by its content; without times, locks and databases."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name + "/"] = ""
        elif path.name == "manifest.json" and "artifacts" in name:
            found[name] = json.dumps(untimed(json.loads(path.read_bytes())), sort_keys=True)
        elif "/timing/" not in name and "sqlite" not in name and ".lock-" not in name:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_every_verb_is_here() -> None:
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert verbs == {*READ_ONLY, *WRITING, *ELSEWHERE}


@pytest.mark.parametrize("verb", READ_ONLY)
def test_a_verb_that_only_reads_writes_nothing(verb: str, forks: Forks, work: Path) -> None:
    if verb == "show":
        made = forks.run(work, ["run", "r.yaml", "--only", "data", "--only", "init"])
        assert made.code == 0, made.said
    before, words = tree(work), READ_ONLY[verb]
    if "ID" in words:
        ledger = json.loads(forks.run(work, ["data", "diff", "store", "public", "--json"]).said)
        words = [ledger["examples"][0]["before"] if one == "ID" else one for one in words]
    done = forks.run(work, ["data", verb, *words])
    # What a temporary folder elsewhere loses is told by its bare name; nothing here is lost, below.
    written = [one for one in done.moments if not one.startswith(("os.remove", "os.rmdir"))]
    assert done.code == (verb == "check") and written == [], done.said
    assert tree(work) == before


def refused(done: Ran, verb: str) -> None:
    """A full disk is one clear line."""
    if done.code:
        said = [line for line in done.said.splitlines() if line.startswith("pellucid: ")]
        assert done.code == 2 and len(said) == 1, (verb, done.said)
        assert "Traceback" not in done.said, done.said


@pytest.mark.parametrize("verb", WRITING)
def test_killed_and_called_again_nothing_differs(verb: str, forks: Forks, world: Path) -> None:
    words = ["data", verb, *WRITING[verb]]
    folder = fresh(world)
    before = tree(folder)
    whole = forks.run(folder, words)
    assert whole.code == 0, whole.said
    expected = tree(folder)
    assert expected != before and whole.moments
    count = len(whole.moments)
    some = random.Random(SEED).sample(range(2, count), min(KILLS, max(count - 2, 0)))
    ways: list[dict[str, int]] = [{"last": at} for at in sorted({1, *some, count})]
    ways += [{"bytes": limit, "dies": dies} for limit in LIMITS for dies in (True, False)]
    ended = 0
    for way in ways:
        folder = fresh(world)
        killed = forks.run(folder, words, **way)
        if way.get("dies", True):
            dead = killed.code in (-signal.SIGKILL, -signal.SIGXFSZ)
            # A write of a thread may fall together with another: then there is one moment less.
            early = "bytes" in way or len(killed.moments) < way["last"]
            assert dead or (early and killed.code == 0), (way, killed.said)
            ended += dead
        else:
            refused(killed, verb)
        again = forks.run(folder, words)
        told = f"{way} {killed.moments[-3:]}: {again.said}"
        assert again.code == 0, told
        assert tree(folder) == expected, told
    assert ended >= min(count, KILLS), "hardly a call was ended"
