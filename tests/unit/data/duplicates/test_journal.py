"""What was compared is known again after a kill, and no longer under other rules."""

from pathlib import Path

import numpy as np

from pellucid.data.duplicates.journal import ENTRY, Journal

PAIRS = np.array([bytes([1]) * 32, bytes([7]) * 16 + bytes([2]) * 15 + b"\0"], "S32")
TURNED = np.array([False, True])


def test_entries_are_known_again(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, TURNED, np.array([0.25, np.inf]))
    again = Journal(tmp_path, "rules")
    other = np.array([bytes([3]) * 32], "S32")
    found = again.known(np.concatenate([PAIRS[::-1], other]), np.array([True, False, False]))
    assert found[:2].tolist() == [np.inf, 0.25] and np.isnan(found[2])


def test_what_was_compared_without_turning_says_nothing_of_turned_ones(tmp_path: Path) -> None:
    """Nor the other way round; both are known side by side."""
    Journal(tmp_path, "rules").add(PAIRS, TURNED, np.array([0.25, 0.5]))
    again = Journal(tmp_path, "rules")
    assert np.isnan(again.known(PAIRS, ~TURNED)).all()
    again.add(PAIRS, ~TURNED, np.array([0.125, np.inf]))
    both = Journal(tmp_path, "rules")
    assert both.known(PAIRS, TURNED).tolist() == [0.25, 0.5]
    assert both.known(PAIRS, ~TURNED).tolist() == [0.125, np.inf]


def test_a_torn_entry_is_compared_again(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, TURNED, np.array([0.25, 0.5]))
    path = next((tmp_path / "labels").iterdir())
    path.write_bytes(path.read_bytes()[:-3])
    again = Journal(tmp_path, "rules")
    assert again.known(PAIRS, TURNED)[0] == 0.25 and np.isnan(again.known(PAIRS, TURNED)[1])
    again.add(PAIRS[1:], TURNED[1:], np.array([0.75]))
    assert Journal(tmp_path, "rules").known(PAIRS, TURNED).tolist() == [0.25, 0.75]


def test_other_rules_know_nothing(tmp_path: Path) -> None:
    Journal(tmp_path, "rules").add(PAIRS, TURNED, np.array([0.25, 0.5]))
    assert np.isnan(Journal(tmp_path, "others").known(PAIRS, TURNED)).all()


def test_when_all_is_done_nothing_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "rules")
    journal.add(PAIRS, TURNED, np.array([0.25, 0.5]))
    journal.end()
    assert not list((tmp_path / "labels").iterdir()) and ENTRY.itemsize == 41
