"""A corpus of clean and faulty rows at given rates: what repairs and triage are measured on.

    for one in corpus(7, 1000, 0.3): one.clean, one.faulty, one.kinds

A row's fate is drawn first and a clean row that it fits is drawn after it, so that a rate is the
share of rows that have the fault, however few rows a kind applies to. Leaves out on purpose: what
counts as mended (`benchmarks/repair.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.base.seeds import derive
from pellucid.data.faults import FAULTS
from pellucid.data.faults.base import Row
from pellucid.data.faults.clean import FORMS

_TRIES = 2000
"""Clean rows that are drawn for one fault before its kind counts as broken."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One row of the corpus."""

    clean: Row | None
    """What it was; None for a row that was added, which should not be there at all."""
    faulty: Row
    """What it is; equal to `clean` where nothing was planted."""
    kinds: tuple[str, ...]
    """Faults in it, in the order in which they were planted; empty for a clean row."""
    beside: int | None = None
    """Of an added row: index, in the corpus, of the row that it contradicts."""

    @property
    def repairable(self) -> bool:
        """Whether the clean row can be known from the faulty one."""
        return all(FAULTS[kind].repairable for kind in self.kinds)


def corpus(
    seed: int,
    rows: int,
    rates: float | Mapping[str, float],
    kinds: Sequence[str] | None = None,
    two: float = 0.0,
) -> Iterator[Planted]:
    """Rows, some of them faulty; the same for the same arguments, and longer when `rows` is more.

    Args:
        seed: names the corpus.
        rows: clean rows to begin with; added rows (of kinds with `adds_row`) come on top.
        rates: share of rows with a fault, dealt evenly among `kinds`; or the share of each kind.
        kinds: kinds to plant; all when None. With `rates` by kind, leave it out.
        two: share of the faulty rows that get a second fault, of another family, where one fits.

    Raises:
        UserError: an unknown kind, or rates outside [0, 1] or of more than 1 together.
    """
    shares = _shares(rates, kinds)
    _refuse("two", two)
    return _rows(seed, rows, shares, two)


def _rows(seed: int, rows: int, shares: Mapping[str, float], two: float) -> Iterator[Planted]:
    given = 0
    for number in range(rows):
        rng = Random(derive(seed, "corpus", number))
        kind = _fate(rng, shares)
        if kind is None:
            clean = _draw(rng, tuple(FORMS), number)
            yield Planted(clean, clean, ())
        elif FAULTS[kind].adds_row:
            clean, added = _plant(kind, rng, number)
            yield Planted(clean, clean, ())
            yield Planted(None, added, (kind,), beside=given)
            given += 1
        else:
            clean, faulty = _plant(kind, rng, number)
            second = _second(kind, faulty, rng, tuple(shares)) if rng.random() < two else None
            if second is not None:
                yield Planted(clean, second[1], (kind, second[0]))
            else:
                yield Planted(clean, faulty, (kind,))
        given += 1


def plant_in(kind: str, row: Row, rng: Random) -> Row | None:
    """A copy of the row with one fault of this kind, or None where it does not apply."""
    faulty = FAULTS[kind].plant(row, rng)
    return None if faulty == row else faulty


def _fate(rng: Random, shares: Mapping[str, float]) -> str | None:
    drawn = rng.random()
    for kind, share in shares.items():
        if drawn < share:
            return kind
        drawn -= share
    return None


def _draw(rng: Random, forms: tuple[str, ...], number: int) -> Row:
    return FORMS[rng.choice(forms)](rng, number)


def _plant(kind: str, rng: Random, number: int) -> tuple[Row, Row]:
    """A clean row that the kind applies to, and the same with the fault."""
    for _ in range(_TRIES):
        clean = _draw(rng, FAULTS[kind].on, number)
        faulty = plant_in(kind, clean, rng)
        if faulty is not None:
            return clean, faulty
    raise AssertionError(f"{kind} applies to none of {_TRIES} rows of {FAULTS[kind].on}")


def _second(first: str, row: Row, rng: Random, kinds: tuple[str, ...]) -> tuple[str, Row] | None:
    """A second fault of another family; None where the first left no turns or no kind applies."""
    if FAULTS[first].breaks:
        return None
    others = [
        kind
        for kind in kinds
        if FAULTS[kind].family != FAULTS[first].family and not FAULTS[kind].adds_row
    ]
    for kind in rng.sample(others, len(others)):
        faulty = plant_in(kind, row, rng)
        if faulty is not None:
            return kind, faulty
    return None


def kind_names(kinds: Sequence[str] | None) -> tuple[str, ...]:
    """The kinds that are named; all when None.

    Raises:
        UserError: one of them is unknown, or none is named.
    """
    found = tuple(FAULTS) if kinds is None else tuple(kinds)
    for kind in found:
        if kind not in FAULTS:
            fix = did_you_mean(kind, FAULTS)
            raise UserError(Problem("kinds", kind, "is no kind of fault", fix))
    if not found:
        raise UserError(Problem("kinds", [], "names no kind", "name one, or give None for all"))
    return found


def _shares(rates: float | Mapping[str, float], kinds: Sequence[str] | None) -> dict[str, float]:
    if isinstance(rates, Mapping):
        if kinds is not None:
            fix = "leave it out, as `rates` names the kinds"
            raise UserError(Problem("kinds", list(kinds), "is given beside rates by kind", fix))
        shares = {kind: rates[kind] for kind in kind_names(tuple(rates))}
    else:
        named = kind_names(kinds)
        _refuse("rates", rates)
        shares = {kind: rates / len(named) for kind in named}
    for kind, share in shares.items():
        _refuse(f"rates.{kind}", share)
    if sum(shares.values()) > 1 + 1e-9:
        raise UserError(Problem("rates", sum(shares.values()), "is more than 1", "lower them"))
    return shares


def _refuse(field: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UserError(Problem(field, share, "is no share", "give a number from 0 to 1"))
