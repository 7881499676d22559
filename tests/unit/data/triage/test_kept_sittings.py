"""What the page on the sittings says follows from the label files that are kept beside it."""

import json
import re
import shutil
from pathlib import Path

from pellucid.data.review.journal import Journal
from pellucid.data.triage.agreement import agreement
from pellucid.store.arrow import read_table

KEPT = Path(__file__).resolve().parents[4] / "docs" / "triage"


def person() -> dict[str, tuple[str, ...]]:
    found = {}
    for number in (1, 2):
        for row in read_table(KEPT / f"sitting-{number}.parquet").to_pylist():
            assert row["id"] not in found, "no record was judged twice"
            found[row["id"]] = tuple(row["classes"])
    return found


def test_the_agreement_is_that_of_the_label_files() -> None:
    signals = {
        row["id"]: tuple(row["classes"]) for row in read_table(KEPT / "signals.parquet").to_pylist()
    }
    found = agreement("model", person(), signals).as_dict()
    assert json.loads(json.dumps(found)) == json.loads((KEPT / "agreement.json").read_text())
    page = (KEPT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ([\w ]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|", page, re.M
    )
    told = [(int(a), int(b), int(c), int(d), float(kappa)) for _, a, b, c, d, kappa in rows]
    assert told == [
        (one["both"], one["only_person"], one["only_signals"], one["neither"],
         round(one["kappa"], 2))
        for one in found["faults"]
    ]  # fmt: skip


def test_the_label_files_are_those_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "review").mkdir()
    shutil.copy(KEPT / "journal.jsonl", tmp_path / "review" / "model.jsonl")
    with Journal(tmp_path, "model") as journal:
        judged = {id: one.classes for id, one in journal.published.items()}
    assert judged == person() and len(judged) == 80
