"""What was compared is known again after a kill, and no longer under other rules."""

from pathlib import Path

import numpy as np

from pellucid.data.duplicates.journal import ENTRY, Journal

PAIRS = np.array([bytes([1]) * 32, bytes([7]) * 16 + bytes([2]) * 15 + b"\0"], "S32")


def test_entries_are_known_again(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, np.array([0.25, np.inf]))
    again = Journal(tmp_path, "rules")
    other = np.array([bytes([3]) * 32], "S32")
    found = again.known(np.concatenate([PAIRS[::-1], other]))
    assert found[:2].tolist() == [np.inf, 0.25] and np.isnan(found[2])


def test_a_torn_entry_is_compared_again(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, np.array([0.25, 0.5]))
    path = next((tmp_path / "labels").iterdir())
    path.write_bytes(path.read_bytes()[:-3])
    again = Journal(tmp_path, "rules")
    assert again.known(PAIRS)[0] == 0.25 and np.isnan(again.known(PAIRS)[1])
    again.add(PAIRS[1:], np.array([0.75]))
    assert Journal(tmp_path, "rules").known(PAIRS).tolist() == [0.25, 0.75]


def test_other_rules_know_nothing(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, np.array([0.25, 0.5]))
    assert np.isnan(Journal(tmp_path, "others").known(PAIRS)).all()


def test_when_all_is_done_nothing_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "rules")
    journal.add(PAIRS, np.array([0.25, 0.5]))
    journal.end()
    assert not list((tmp_path / "labels").iterdir()) and ENTRY.itemsize == 40
