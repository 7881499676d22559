"""Which pairs of pictures have been compared, kept until a call is finished: a killed one goes on.

A plain file of fixed-size entries behind a header that names the rules; a torn last entry is not
read. Entries hold for any stores, since a picture is known by its hash. Whether turned pictures
were tried is a part of an entry, not of the rules: vectors propose a pair where few others are
nearer, so the same two pictures may be turned among some stores and not among others. Leaves out
on purpose: two calls at a time on one store.
"""

from pathlib import Path

import numpy as np

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_json
from pellucid.store import layout

ENTRY = np.dtype([("compared", "S33"), ("off", "<f8")])
"""First 16 bytes of the SHA-256 of two pictures and whether turned ones were tried (1 or 0), and by
how much they differ."""
_NAME = ".pictures-compared"


class Journal:
    """The comparisons of one call."""

    def __init__(self, folder: Path, rules: object) -> None:
        self._path = folder / layout.LABELS / _NAME
        self._header = bytes.fromhex(hash_json([rules, ENTRY.itemsize]))
        self.entries = self._read()

    def _read(self) -> np.ndarray:
        with boundary("reading what was compared"):
            data = self._path.read_bytes() if self._path.exists() else b""
        if data[: len(self._header)] != self._header:
            with boundary("writing what was compared"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_bytes(self._header)
            return np.zeros(0, ENTRY)
        whole = (len(data) - len(self._header)) // ENTRY.itemsize
        end = len(self._header) + whole * ENTRY.itemsize
        with boundary("writing what was compared"), self._path.open("r+b") as file:
            file.truncate(end)
        found = np.frombuffer(data[len(self._header) : end], ENTRY)
        return found[np.argsort(found["compared"], kind="stable")]

    def known(self, pairs: np.ndarray, turned: np.ndarray) -> np.ndarray:
        """By how much pairs differ; not a number where they were not compared in this way.

        Args:
            pairs: (pairs,) S32, first 16 bytes of the SHA-256 of both.
            turned: (pairs,) whether turned ones are to be tried.
        """
        off, wanted = np.full(len(pairs), np.nan), _compared(pairs, turned)
        if len(self.entries):
            at = np.searchsorted(self.entries["compared"], wanted).clip(max=len(self.entries) - 1)
            found = self.entries["compared"][at] == wanted
            off[found] = self.entries["off"][at[found]]
        return off

    def add(self, pairs: np.ndarray, turned: np.ndarray, off: np.ndarray) -> None:
        """Keep what was compared; the first two are those of `known`."""
        rows = np.empty(len(pairs), ENTRY)
        rows["compared"], rows["off"] = _compared(pairs, turned), off
        with boundary("writing what was compared"), self._path.open("ab") as file:
            file.write(rows.tobytes())

    def end(self) -> None:
        """Everything is written; nothing of this is needed any longer."""
        with boundary("removing what was compared"):
            self._path.unlink(missing_ok=True)


def _compared(pairs: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """(pairs,) S33: what `ENTRY` calls so."""
    found = np.empty(len(pairs), [("pair", "S32"), ("turned", "u1")])
    found["pair"], found["turned"] = pairs, turned
    return found.view("S33")
