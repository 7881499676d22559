"""What an ingredient asks of each record by itself: split, task, domain, licence, label columns.

A reason is a sentence of the ledger. Codes are small numbers, so that a million records cost a
million small numbers. Leaves out on purpose: what depends on other records (`choose.py`).
"""

import re
from collections.abc import Sequence
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.base.errors import Problem, UserError
from pellucid.data.mix.labels import labelled
from pellucid.data.mix.pool import PIECE, Pool, positions
from pellucid.recipe.mix import Licences, Mix, Take, Where

OVERLAP = "same pictures, question and gold as a record of a held-out split"
BEYOND = "beyond count"
TAKEN = "taken before in this mode"


@final
class Reasons:
    """Why records of one ingredient are left out: one code each, 0 for those that are not."""

    def __init__(self, count: int, known: list[str]) -> None:
        """Reasons for `count` records; `known` is shared by the ingredients of a mix."""
        self.codes = np.zeros(count, np.uint8)
        self._known = known

    def mark(self, where: np.ndarray, reason: str) -> None:
        """Give a reason to records that have none yet.

        Args:
            where: (records,) bool, or positions.
            reason: the ledger's words.
        """
        open_ = self.codes == 0
        new = where & open_ if where.dtype == bool else where[open_[where]]
        if not (new.any() if where.dtype == bool else len(new)):
            return
        if reason not in self._known:
            self._known.append(reason)
        code = self._known.index(reason) + 1
        wider = np.min_scalar_type(code)
        if wider.itemsize > self.codes.itemsize:
            self.codes = self.codes.astype(wider)
        self.codes[new] = code

    @property
    def open(self) -> np.ndarray:
        """Positions of the records without a reason, ascending."""
        return positions(self.codes == 0)

    def counts(self) -> dict[str, int]:
        """Records by reason, in the order in which reasons first came up in the records."""
        found: dict[str, int] = {}
        for start in range(0, len(self.codes), PIECE):
            piece = self.codes[start : start + PIECE]
            codes, first, counts = np.unique(piece, return_index=True, return_counts=True)
            for at in np.argsort(first):
                if codes[at]:
                    reason = self._known[int(codes[at]) - 1]
                    found[reason] = found.get(reason, 0) + int(counts[at])
        return found


def by_itself(mix: Mix, take: Take, pool: Pool, known: list[str]) -> Reasons:
    """Reasons of all that does not depend on other records but labels that keep one of a cluster.

    Raises:
        UserError: a label or column is not there.
    """
    reasons = Reasons(len(pool), known)
    _unlike(reasons, pool.split.codes, pool.split.values, (take.split,), "other split")
    _unlike(reasons, pool.task.codes, pool.task.values, take.tasks, "other task")
    if take.domains:
        _unlike(reasons, pool.domain.codes, pool.domain.values, take.domains, "other domain")
    if mix.licences:
        licence = pool.licence
        for at, value in enumerate(licence.values):
            if not permitted(value, mix.licences):
                reasons.mark(licence.codes == at, f"licence: {value or 'none'}")
    for where in (*(mix.where or ()), *(take.where or ())):
        labels = labelled(pool, where, [where.column])
        told, unfit = np.zeros(len(pool), bool), np.zeros(len(pool), bool)
        for here, (values,) in labels.columns([where.column]):
            told[here] = True
            unfit[here] = False if where.keep else ~fits(where, values)
        if where.unlabelled == "drop":
            reasons.mark(~told, f"no label {where.label}")
        reasons.mark(unfit, f"label {described(where)}")
    return reasons


def _unlike(
    reasons: Reasons, codes: np.ndarray, values: Sequence[str], wanted: Sequence[str], why: str
) -> None:
    """Leave out other values than the wanted ones; all are wanted when none is named."""
    for at, value in enumerate(values):
        if wanted and value not in wanted:
            reasons.mark(codes == at, f"{why}: {value}")


def permitted(licence: str, licences: Licences) -> bool:
    """Whether a mix may hold what has this licence (an SPDX expression).

    >>> permitted("CC-BY-4.0 AND MIT", Licences(allow=("MIT", "CC-BY-4.0")))
    True
    >>> permitted("", Licences(allow=("MIT",)))
    False
    """
    parts = [part for part in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", licence) if part.strip()]
    if licence in licences.deny or any(part.strip() in licences.deny for part in parts):
        return False
    if not licences.allow or licence in licences.allow:
        return True
    joined = " AND ".join(parts) == licence  # nothing but AND between them
    return bool(licence) and joined and all(part in licences.allow for part in parts)


def described(where: Where) -> str:
    """A condition that a record breaks, in the ledger's words.

    >>> described(Where(label="triage@1", column="class", is_="excellent"))
    'triage@1: class is not excellent'
    """
    head = f"{where.label}: {where.column}"
    if where.is_ is not None:
        return f"{head} is not {_or(where.is_)}"
    if where.is_not is not None:
        return f"{head} is {_or(where.is_not)}"
    bounds = (("under", where.at_least), ("over", where.at_most))
    told = [f"{word} {bound:g}" for word, bound in bounds if bound is not None]
    return f"{head} is {' or '.join(told)}"


def _or(values: object) -> str:
    return " or ".join(map(str, values)) if isinstance(values, tuple) else str(values)


def fits(where: Where, values: pa.Array) -> np.ndarray:
    """(values,) bool: whether a value fits; a null fits nothing but `is_not`.

    Raises:
        UserError: the values cannot be compared with those that were asked for.
    """
    if pa.types.is_list(values.type):
        owner = np.asarray(pc.list_parent_indices(values))
        inner = fits(_positive(where), values.flatten())
        found = np.zeros(len(values), bool)
        found[owner[inner]] = True
        return ~found if where.is_not is not None else found
    try:
        if where.is_ is not None or where.is_not is not None:
            asked = where.is_ if where.is_ is not None else where.is_not
            told = asked if isinstance(asked, tuple) else (asked,)
            inside = pc.is_in(values, value_set=pa.array(list(told)).cast(values.type))
            held = np.asarray(inside).astype(bool)
            return ~held if where.is_not is not None else held
        found = np.ones(len(values), bool)
        for compare, bound in ((pc.greater_equal, where.at_least), (pc.less_equal, where.at_most)):
            if bound is not None:
                found &= np.asarray(pc.fill_null(compare(values, pa.scalar(bound)), False))
        return found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        rule = f"is asked of a column of {values.type}"
        told_ = where.model_dump(mode="json", exclude_defaults=True)
        fix = "compare texts with texts, numbers with numbers"
        raise UserError(Problem(f"label {where.label}", told_, rule, fix)) from None


def _positive(where: Where) -> Where:
    """The condition that one value of a list meets, where `is_not` says that none may."""
    if where.is_not is None:
        return where
    return where.model_copy(update={"is_": where.is_not, "is_not": None})
