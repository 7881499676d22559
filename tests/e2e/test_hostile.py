"""Hostile surroundings: one clear line, nothing lost, and the same command goes on afterwards."""

import fcntl
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.test_killed import Forks, Ran, tree, write_rows

from pellucid.store import Dropped, Writer

IMPORT = ["import", "rows.jsonl", "--licence", "MIT", "--drop", "--to"]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows, a store and what is published of it."""
    folder = tmp_path_factory.mktemp("hostile") / "world"
    write_rows(folder)
    assert forks.run(folder, ["data", *IMPORT, "store"]).code == 0
    published = ["data", "publish", "store", "--to", "public", "--allow", "MIT"]
    assert forks.run(folder, published).code == 0
    return folder


@pytest.fixture
def work(world: Path, tmp_path: Path) -> Path:
    shutil.copytree(world, tmp_path / "w")
    return tmp_path / "w"


def refused(forks: Forks, work: Path, *words: str) -> str:
    """The one line with which a command ends with 2, having changed nothing."""
    before = tree(work)
    done = forks.run(work, ["data", *words])
    said = [line for line in done.said.splitlines() if line.startswith("pellucid: ")]
    assert done.code == 2 and len(said) == 1 and "Traceback" not in done.said, done.said
    assert tree(work) == before
    return said[0]


MAKES = {
    "import": IMPORT,
    "publish": ["publish", "store", "--allow", "MIT", "--to"],
    "rebuild": ["rebuild", "public", "--from", "store", "--to"],
}
"""Verbs that make a folder; its name comes last."""


@pytest.mark.parametrize("verb", MAKES)
def test_two_at_once_and_the_second_says_so(verb: str, forks: Forks, work: Path) -> None:
    folder = (
        work / {"import": "new", "publish": ".new.publishing", "rebuild": ".new.rebuilding"}[verb]
    )
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert "is being written by another process; wait" in refused(forks, work, *MAKES[verb], "new")
    os.close(handle)
    done = forks.run(work, ["data", *MAKES[verb], "new"])
    assert done.code == 0 and (work / "new" / "store.json").is_file(), done.said


OTHERS = {
    "import": ["import", "others.jsonl", "--licence", "MIT", "--drop", "--to"],
    "publish": ["publish", "store", "--allow", "CC0-1.0", "--to"],
    "rebuild": ["rebuild", "public-2", "--from", "store-2", "--to"],
}
"""The same verbs with something else to write."""


@pytest.mark.parametrize("verb", OTHERS)
def test_of_two_that_write_one_folder_at_once_exactly_one_wins(
    verb: str, forks: Forks, work: Path, tmp_path: Path
) -> None:
    """The first is held up, early, half-way and late, while the second runs from end to end."""
    lines = (work / "rows.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (work / "others.jsonl").write_text("".join(lines[5:]), encoding="utf-8")
    if verb == "rebuild":
        made = ["data", "import", "others.jsonl", "--licence", "MIT", "--drop", "--to", "store-2"]
        assert forks.run(work, made).code == 0
        made = ["data", "publish", "store-2", "--to", "public-2", "--allow", "MIT"]
        assert forks.run(work, made).code == 0
    first, second = (["data", *words[verb], "new"] for words in (MAKES, OTHERS))
    alone, count = {}, 0
    for words in (second, first):
        whole = tmp_path / "whole"
        shutil.copytree(work, whole)
        done = forks.run(whole, words)
        alone[words[2:5] == first[2:5]], count = tree(whole), len(done.moments)
        assert done.code == 0, done.said
        shutil.rmtree(whole)
    assert alone[True] != alone[False]
    held, winners = Forks(), set()
    try:
        for at in (1, 2, 3, count // 2, count):
            both = tmp_path / f"both-{at}"
            shutil.copytree(work, both)
            waiting, late = held_at(held, both, first, at, forks, second)
            codes = waiting.code, late.code
            assert sorted(codes) == [0, 2], (at, waiting.said, late.said)
            assert tree(both) == alone[waiting.code == 0], (at, waiting.said, late.said)
            lost = late if late.code else waiting
            assert "Traceback" not in lost.said and lost.said.count("pellucid: ") == 1, lost.said
            winners.add(codes)
    finally:
        held.close()
    assert (0, 2) in winners


def held_at(
    held: Forks, work: Path, words: list[str], at: int, forks: Forks, others: list[str]
) -> tuple[Ran, Ran]:
    """Both runs: the first waits before its `at`-th moment until the second has ended."""
    gate = work.with_name(f"{work.name}.gate")
    os.mkfifo(gate)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(held.run, work, words, last=at, waits=str(gate))
        with gate.open("wb"):  # once the first is there
            late = forks.run(work, others)
        return waiting.result(), late


@pytest.mark.parametrize("verb", MAKES)
def test_a_target_that_is_something_else(verb: str, forks: Forks, work: Path) -> None:
    (work / "there").mkdir()
    (work / "there" / "mine.txt").write_text("mine")
    os.symlink("nowhere", work / "dangling")
    for name in ("there", "dangling", "rows.jsonl"):
        assert name in refused(forks, work, *MAKES[verb], name)


@pytest.mark.parametrize("verb", MAKES)
def test_a_target_inside_the_source(verb: str, forks: Forks, work: Path) -> None:
    """The source stays as it was, and is read as it was."""
    (inside := work / "store" / "deep").mkdir()
    done = forks.run(work, ["data", *MAKES[verb], "store/deep/new"])
    assert done.code == 0, done.said
    shutil.rmtree(inside)
    plain = forks.run(work, ["data", *MAKES[verb], "new"])
    assert plain.code == 0 and plain.said.count("Traceback") == 0
    assert forks.run(work, ["data", "diff", "store", "store", "--json"]).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["card", "store", "--to"],
        ["stats", "store", "--page"],
        ["decontaminate", "store", "--against", "public", "--page"],
        ["repair", "rows.jsonl", "--to"],
        ["export", "store", "--to"],
    ],
)
def test_a_file_of_someone_else_stays(words: list[str], forks: Forks, work: Path) -> None:
    (work / "mine.jsonl").write_text("mine")
    said = refused(forks, work, *words, "mine.jsonl")
    assert "exists" in said and "name" in said
    (work / "folder.jsonl").mkdir()
    refused(forks, work, *words, "folder.jsonl")


def test_a_card_that_a_person_filled_in_stays_and_the_way_on_is_told(
    forks: Forks, work: Path
) -> None:
    write = ["data", "card", "store", "--to", "card.md"]
    assert forks.run(work, write).code == 0
    card = (work / "card.md").read_text(encoding="utf-8")
    (work / "card.md").write_text(card + "Made for a talk.\n", encoding="utf-8")
    said = refused(forks, work, *write[1:])
    told = re.search(r"move it away \((mv .*?)\), call this again", said)
    assert told and "name another file" in said
    subprocess.run(shlex.split(told[1]), cwd=work, check=True)
    assert forks.run(work, write).code == 0
    assert (work / "card.md").read_text(encoding="utf-8") == card
    assert (work / "card.md.old").read_text(encoding="utf-8").endswith("Made for a talk.\n")


NAMES = 'it\'s "mine" ünï 图'


def test_names_with_spaces_quotes_and_letters_of_all_kinds(forks: Forks, work: Path) -> None:
    (work / NAMES).mkdir()
    for words in (
        [*IMPORT, f"{NAMES}/s t"],
        ["stats", f"{NAMES}/s t", "--page", f"{NAMES}/p.html"],
        ["triage", f"{NAMES}/s t"],
        ["dedup", f"{NAMES}/s t"],
        ["decontaminate", f"{NAMES}/s t", "--against", "store", "--page", f"{NAMES}/e.html"],
        ["publish", f"{NAMES}/s t", "--to", f"{NAMES}/p u", "--allow", "MIT"],
        ["rebuild", f"{NAMES}/p u", "--from", f"{NAMES}/s t", "--to", f"{NAMES}/w"],
        ["export", f"{NAMES}/s t", "--to", f"{NAMES}/e x/ü.json"],
        ["card", f"{NAMES}/s t", "--to", f"{NAMES}/c d.md"],
        ["diff", f"{NAMES}/s t", "store"],
        ["repair", f"{NAMES}/e x/ü.json", "--to", f"{NAMES}/m.json"],
        ["check", f"{NAMES}/e x/ü.json"],
    ):
        done = forks.run(work, ["data", *words])
        assert done.code == 0, (words, done.said)


def test_a_store_without_records_is_no_crash(forks: Forks, work: Path) -> None:
    writer = Writer(work / "empty")
    writer.shard("a", [], [Dropped(0, "0", "bad")])
    writer.finish()
    for words, code in (
        (["stats", "empty", "--page", "p.html"], 0),
        (["card", "empty", "--to", "c.md"], 0),
        (["triage", "empty"], 0),
        (["dedup", "empty"], 0),
        (["decontaminate", "empty", "--against", "store"], 0),
        (["decontaminate", "store", "--against", "empty"], 2),
        (["export", "empty", "--to", "x/rows.jsonl"], 2),
        (["publish", "empty", "--to", "new", "--allow", "MIT"], 2),
        (["diff", "empty", "store"], 0),
        (["trace", "empty", "00"], 2),
    ):
        done = forks.run(work, ["data", *words])
        assert done.code == code and "Traceback" not in done.said, (words, done.said)
