"""Judgements survive anything: undo, a kill, a cut line, a crash while publishing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.data.review.journal import Journal, judgements
from pellucid.store import read_label


def test_undo_is_a_line_and_the_last_judgement_counts(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana") as journal:
        journal.judge("a", [], 1.0)
        journal.judge("b", ["wrong_answers"], 2.0)
        journal.judge("b", ["formatting_errors", "wrong_answers"], 3.0)
        assert journal.undo() == "b" and journal.open["b"].classes == ("wrong_answers",)
        assert journal.undo() == "b" and "b" not in journal.open
        assert journal.undo() == "a" and journal.undo() is None
        journal.judge("c", ["low_quality_images"], 4.0)
        lines = journal.path.read_text().splitlines()
    assert len(lines) == 7 and sum("undo" in json.loads(line) for line in lines) == 3
    with Journal(tmp_path, "ana") as again:
        assert list(again.open) == ["c"] and again.undo() == "c"


def test_publishing_makes_a_file_for_each_sitting(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana") as journal:
        assert journal.publish() is None
        journal.judge("a", ["wrong_answers"], 1.0)
        journal.judge("b", [], 2.5)
        first = journal.publish()
        assert journal.undo() is None, "what is published stays"
        with pytest.raises(UserError, match="never edited"):
            journal.judge("a", [], 1.0)
    with Journal(tmp_path, "ana") as journal:
        journal.judge("c", [], 1.5)
        second = journal.publish()
    assert first != second and first is not None
    assert judgements(tmp_path, "ana") == {"a": ("wrong_answers",), "b": (), "c": ()}
    table = read_label(tmp_path, "review.ana", 1)
    assert table["seconds"].to_pylist() == [1.0, 2.5, 1.5]


def test_a_cut_line_is_left_out_and_what_follows_is_read(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana") as journal:
        journal.judge("a", [], 1.0)
        journal.judge("b", [], 1.0)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-20])
    with Journal(tmp_path, "ana") as journal:
        assert list(journal.open) == ["a"]
        journal.judge("c", ["wrong_answers"], 1.0)
    with Journal(tmp_path, "ana") as journal:
        assert list(journal.open) == ["a", "c"]


def test_a_crash_between_the_label_file_and_the_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana") as journal:
        journal.judge("a", [], 1.0)
        before = journal.path.read_bytes()
        journal.publish()
    journal.path.write_bytes(before)  # as if the last line had never been written
    with Journal(tmp_path, "ana") as journal:
        assert not journal.open and set(journal.published) == {"a"}
        journal.judge("b", [], 1.0)
        journal.publish()
    assert set(judgements(tmp_path, "ana")) == {"a", "b"}


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal; from pathlib import Path\n"
        "from pellucid.data.review.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), 'ana')\n"
        "for at in range(50):\n"
        "    journal.judge(str(at), ['wrong_answers'], 0.1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False, timeout=60)
    assert done.returncode == -9
    with Journal(tmp_path, "ana") as journal:
        assert list(journal.open) == [str(at) for at in range(50)]


def test_one_process_for_one_reviewer(tmp_path: Path) -> None:
    with Journal(tmp_path, "ana"):
        with pytest.raises(UserError, match="is reviewing this store already"):
            Journal(tmp_path, "ana")
        with Journal(tmp_path, "ben") as other:
            other.judge("a", [], 1.0)
    with Journal(tmp_path, "ana") as again:
        assert not again.open


@pytest.mark.parametrize("name", ["", "../x", "Ana", "a b", "-a", "a" * 41])
def test_a_name_is_a_part_of_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is no name for a label"):
        Journal(tmp_path, name)


def test_a_line_that_no_review_wrote_is_named(tmp_path: Path) -> None:
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "ana.jsonl").write_text('{"judge": "a"}\n')
    with pytest.raises(UserError, match="line 1"):
        Journal(tmp_path, "ana")


def test_who_has_published_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reviewed nothing"):
        judgements(tmp_path, "ana")
    with Journal(tmp_path, "ana") as journal:
        journal.judge("a", [], 1.0)
    with pytest.raises(UserError, match="published nothing yet"):
        judgements(tmp_path, "ana")
