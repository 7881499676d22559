"""How many planted faults a repair mends or flags, and what it does to clean rows.

    python benchmarks/repair.py                              20,000 faulty rows, 20,000 clean ones
    python benchmarks/repair.py --kinds mojibake,tag_misspelt --show 3
    python benchmarks/repair.py --own rows.jsonl             one fault in each of your own rows
    python benchmarks/repair.py --pairs others.jsonl         another fault set, made elsewhere
    python benchmarks/repair.py --repair theirs:mend         another repair

A faulty row is *equal* when it comes back as the very row that it was. A row that makes the same
record without being the same row (`image: ["a"]` for `image: "a"`) is counted apart, and is no
success. *Changed wrongly* is what no one would notice: changed, unlike the clean row, not flagged.
`--pairs` reads lines `{"clean": {...}, "faulty": {...}, "kinds": ["..."], "repairable": true}`; a
row with `faulty` equal to `clean` is a clean one. `--own` takes all sound rows of a LLaVA file for
clean, which they need not be: what it flags there is worth a look. `--repair module:function` names
`repair(row)` that gives an object with `row`, `changes` and `flags`. Leaves out on purpose: rows
that agree with themselves and are wrong, which no look at a row can find.
"""

import argparse
import copy
import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.base.interval import wilson
from pellucid.base.paths import write_json
from pellucid.base.seeds import derive
from pellucid.data import files
from pellucid.data.faults import FAULTS, clean_rows
from pellucid.data.faults.corpus import Planted, corpus, kind_names, plant_in
from pellucid.data.llava import RowFault, parse_row

SEED = 20_260_607
READ = frozenset(("conversations", "image", "mode", "answer"))
"""Fields that a record holds in another form than the row."""
OUTCOMES = ("equal", "same record", "flagged", "unseen", "changed wrongly", "raised")
"""What becomes of a faulty row; the first that is true of it."""

_TWO = {True: "two faults", False: "two, not both repairable"}

Repair = Callable[[Any], Any]
Contradictions = Callable[[Sequence[Any]], list[Any]]


@dataclass
class Kind:
    """What became of one kind of fault."""

    repairable: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    """Rows with a flag, whatever else became of them."""
    caught: int = 0
    """Rows that are equal or flagged."""

    @property
    def planted(self) -> int:
        """Rows with this fault."""
        return self.outcomes.total()


@dataclass
class Found:
    """What became of all rows."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    clean: int = 0
    changed: int = 0
    flagged: int = 0
    ops: Counter[str] = field(default_factory=Counter)
    """Flags and changes of clean rows, by operator."""
    shown: dict[str, list[Any]] = field(default_factory=dict)
    """Rows that failed, by kind."""
    restless: int = 0
    """Rows that a second repair changes again."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A figure of the issue, and whether it is met."""

    name: str
    value: float | None
    """None where there was nothing to take a share of, which meets no goal."""
    goal: str
    met: bool
    low: float
    high: float
    n: int


def measure(
    planted: Iterable[tuple[Planted, bool]],
    repair: Repair,
    contradictions: Contradictions,
    show: int = 0,
) -> Found:
    """Repair every row and compare it with what it was.

    Args:
        planted: rows, each with whether its fault is repairable. Rows without faults that a row was
            added beside are counted nowhere: they are half of a contradiction.
        repair: one row to an object with `row`, `changes` and `flags`.
        contradictions: all rows to a list of (index, flag).
        show: failures of each kind that are kept.
    """
    rows = list(planted)
    found, started = Found(), time.perf_counter()
    done = [_tried(repair, one.faulty) for one, _ in rows]
    pairs = zip(rows, done, strict=True)
    after = [one.faulty if ended is None else ended.row for (one, _), ended in pairs]
    doubted = _doubted([one for one, _ in rows], after, contradictions)
    found.seconds = time.perf_counter() - started
    again = [_tried(repair, row) for row in after]
    found.restless = sum(
        ended is None or ended.row != row for ended, row in zip(again, after, strict=True)
    )
    beside = {one.beside for one, _ in rows}
    for index, ((one, repairable), ended) in enumerate(zip(rows, done, strict=True)):
        if not one.kinds:
            if index not in beside:
                _count_clean(found, one, ended, index in doubted, show)
            continue
        name = one.kinds[0] if len(one.kinds) == 1 else _TWO[repairable]
        kind = found.kinds.setdefault(name, Kind(repairable))
        doubtful = one.beside is not None and not doubted.isdisjoint((index, one.beside))
        outcome = "raised" if ended is None else _outcome(one, ended, doubtful)
        kind.outcomes[outcome] += 1
        flagged = doubtful or ended is not None and bool(ended.flags)
        kind.flagged += flagged
        kind.caught += flagged or outcome == "equal"
        if outcome not in ("equal", "flagged") or repairable and outcome == "flagged":
            _show(found, name, one, ended, show, outcome)
    return found


def _doubted(
    planted: Sequence[Planted], after: Sequence[Any], contradictions: Contradictions
) -> set[int]:
    """Rows that contradict others; clean rows and faulty ones are two sets, as they may be of the
    same pictures and questions.
    """
    beside = {one.beside for one in planted}
    clean = [not one.kinds and at not in beside for at, one in enumerate(planted)]
    found = set()
    for part in (True, False):
        places = [at for at, is_clean in enumerate(clean) if is_clean == part]
        found |= {places[at] for at, _ in contradictions([after[place] for place in places])}
    return found


def _count_clean(found: Found, one: Planted, ended: Any, doubted: bool, show: int) -> None:
    found.clean += 1
    changed = ended is None or ended.row != one.clean
    flagged = doubted or ended is not None and bool(ended.flags)
    found.changed += changed
    found.flagged += flagged
    if changed or flagged:
        ops = [] if ended is None else [said.op for said in (*ended.changes, *ended.flags)]
        found.ops.update(sorted({*ops, *(("contradictions",) if doubted else ())}))
        name = "clean: " + ("changed" if changed else "flagged")
        _show(found, name, one, ended, show, name)


def _show(found: Found, name: str, one: Planted, ended: Any, show: int, outcome: str) -> None:
    shown = found.shown.setdefault(name, [])
    if len(shown) < show:
        flags = [] if ended is None else [flag.op for flag in ended.flags]
        shown.append(
            {"outcome": outcome, "clean": one.clean, "faulty": one.faulty,
             "after": None if ended is None else ended.row, "flags": flags}
        )  # fmt: skip


def _tried(repair: Repair, row: Any) -> Any:
    try:
        # A copy, so that a repair that writes into its input is seen to change it.
        return repair(copy.deepcopy(row))
    except Exception:  # noqa: BLE001 - a row that ends the repair is one of the outcomes
        return None


def _outcome(one: Planted, ended: Any, doubtful: bool) -> str:
    if one.clean is not None and ended.row == one.clean:
        return "equal"
    if one.clean is not None and same_record(ended.row, one.clean):
        return "same record"
    if doubtful or ended.flags:
        return "flagged"
    return "unseen" if ended.row == one.faulty else "changed wrongly"


def same_record(row: Any, clean: Any) -> bool:
    """Whether two rows differ in spelling only: the record and all other fields are the same."""
    try:
        one, other = parse_row(row), parse_row(clean)
    except RowFault:
        return False
    parts = [(found.messages, found.images, found.answer) for found in (one, other)]
    rest = [{key: said[key] for key in said.keys() - READ} for said in (row, clean)]
    return parts[0] == parts[1] and rest[0] == rest[1]


def figures(found: Found) -> list[Figure]:
    """The figures of the issue, with 95 % intervals; a share of nothing is not met."""
    mends = [kind for kind in found.kinds.values() if kind.repairable]
    total = sum(kind.planted for kind in mends)
    equal = sum(kind.outcomes["equal"] for kind in mends)
    well = sum(kind.outcomes["equal"] >= 0.9 * kind.planted for kind in mends)
    planted = sum(kind.planted for kind in found.kinds.values())
    caught = sum(kind.caught for kind in found.kinds.values())
    return [
        _share("repairable rows that come back equal", equal, total, ">= 0.90", 0.90),
        _share("repairable kinds with 9 in 10 rows equal", well, len(mends), ">= 0.90", 0.90),
        _share("planted rows that are equal or flagged", caught, planted, ">= 0.99", 0.99),
        _share("clean rows with a false flag", found.flagged, found.clean, "<= 0.01", 0.01, True),
        _share("clean rows that were changed", found.changed, found.clean, "0", 0.0, True),
    ]


def _share(name: str, part: int, n: int, goal: str, bound: float, at_most: bool = False) -> Figure:
    if not n:
        return Figure(name, None, goal, False, 0.0, 1.0, 0)
    share, interval = part / n, wilson(part / n, n)
    met = share <= bound if at_most else share >= bound
    return Figure(name, share, goal, met, interval.low, interval.high, n)


def lines(found: Found) -> Iterator[str]:
    """The table and the figures, 80 columns wide."""
    yield f"{'kind':<28}    n  equal record  flag unseen wrong raised"
    order = sorted(found.kinds.items(), key=lambda item: (not item[1].repairable, item[0]))
    for repairable in (True, False):
        if any(kind.repairable == repairable for _, kind in order):
            yield "repairable" if repairable else "to be flagged"
        for name, kind in order:
            if kind.repairable == repairable:
                shares = [kind.outcomes[outcome] / kind.planted for outcome in OUTCOMES]
                told = " ".join(f"{share:5.3f}" for share in shares)
                yield f"  {name:<26} {kind.planted:>5}  {told}"
    ops = ", ".join(f"{op} {count}" for op, count in found.ops.most_common())
    yield f"clean rows: {found.clean}, flagged {found.flagged}, changed {found.changed}"
    yield f"  by operator: {ops or '-'}"
    wrong = sum(kind.outcomes["changed wrongly"] for kind in found.kinds.values())
    yield f"changed wrongly, of the faulty rows: {wrong}"
    yield f"changed again by a second repair, of all rows: {found.restless}"
    for figure in figures(found):
        share = "-" if figure.value is None else f"{figure.value:.4f}"
        told = f"{share} [{figure.low:.4f}, {figure.high:.4f}] n={figure.n}"
        yield f"{'met   ' if figure.met else 'MISSED'} {figure.name} {figure.goal}"
        yield f"       {told}"


def planted_here(
    seed: int, rows: int, kinds: Sequence[str] | None, two: float
) -> Iterator[tuple[Planted, bool]]:
    """Our corpus: `rows` faulty rows, dealt evenly among the kinds, and as many clean ones."""
    for one in corpus(seed, rows, 1.0, kinds, two):
        yield one, one.repairable
    for row in clean_rows(seed + 1, rows):
        yield Planted(row, row, ()), True


def planted_in_own(
    path: Path, seed: int, kinds: Sequence[str] | None
) -> Iterator[tuple[Planted, bool]]:
    """Each sound row of a file as it is, and once more with a fault that applies to it.

    Raises:
        UserError: the file cannot be read as rows, or an unknown kind.
    """
    named_kinds = kind_names(kinds)
    for number, row in enumerate(given.value for given in files.read(path)):
        rng = Random(derive(seed, "own", number))
        try:
            parse_row(row)
        except RowFault:
            continue
        yield Planted(row, row, ()), True
        for kind in rng.sample(named_kinds, len(named_kinds)):
            faulty = None if FAULTS[kind].adds_row else plant_in(kind, row, rng)
            if faulty is not None:
                yield Planted(row, faulty, (kind,)), FAULTS[kind].repairable
                break


def planted_there(path: Path) -> Iterator[tuple[Planted, bool]]:
    """A fault set from a file.

    Raises:
        UserError: there is no such file, or a line is no pair of rows.
    """
    if not path.is_file():
        raise UserError(Problem("--pairs", str(path), "is no file", "check the path"))
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                pair = json.loads(line)
                clean, faulty = pair["clean"], pair["faulty"]
                kinds = () if faulty == clean else tuple(pair["kinds"])
                yield Planted(clean, faulty, kinds), bool(pair.get("repairable", True))
            except (ValueError, KeyError, TypeError, AttributeError):
                fix = 'write {"clean": {...}, "faulty": {...}, "kinds": ["..."]}'
                where = f"{path}:{number}"
                raise UserError(Problem("--pairs", where, "is no pair of rows", fix)) from None


def named(text: str, option: str) -> Callable[..., Any]:
    """The function that `module:function` names.

    Raises:
        UserError: there is no such module, or nothing of that name to call in it.
    """
    module, _, name = text.partition(":")
    try:
        found: Callable[..., Any] | None = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UserError(
            Problem(option, text, f"cannot be imported ({error})", "name a module")
        ) from None
    if not callable(found):
        raise UserError(Problem(option, text, "names no function", "write module:function"))
    return found


def as_json(found: Found, told: argparse.Namespace) -> Mapping[str, Any]:
    """All that was found, for a file."""
    return {
        "seed": told.seed,
        "rows": told.rows,
        "repair": told.repair,
        "from": str(told.pairs or told.own or "corpus"),
        "seconds": found.seconds,
        "restless": found.restless,
        "figures": [vars(figure) for figure in figures(found)],
        "kinds": {
            name: {
                "repairable": kind.repairable, "planted": kind.planted, "flagged": kind.flagged,
                "equal or flagged": kind.caught, **{one: kind.outcomes[one] for one in OUTCOMES},
            }
            for name, kind in sorted(found.kinds.items())
        },
        "clean": {"rows": found.clean, "flagged": found.flagged, "changed": found.changed,
                  "by operator": dict(found.ops)},
        "shown": found.shown,
    }  # fmt: skip


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--rows", type=int, default=20_000, help="faulty rows, and clean ones")
    parser.add_argument("--kinds", help="kinds of fault, with commas; all when left out")
    parser.add_argument("--two", type=float, default=0.0, help="share of rows with two faults")
    parser.add_argument("--own", type=Path, metavar="FILE", help="plant in these LLaVA rows")
    parser.add_argument("--pairs", type=Path, help="JSON lines of another fault set")
    parser.add_argument("--repair", default="pellucid.data.repair:repair", metavar="MODULE:NAME")
    parser.add_argument(
        "--contradictions", metavar="MODULE:NAME",
        help="ours goes with our repair; none with another, unless it is named",
    )  # fmt: skip
    parser.add_argument("--show", type=int, default=0, help="failures of each kind to print")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--check", action="store_true", help="end with 1 when a figure is missed")
    return parser.parse_args(words)


def run(told: argparse.Namespace) -> Found:
    """Plant (or read), repair, count."""
    if told.rows < 1:
        raise UserError(Problem("--rows", told.rows, "is no number of rows", "give 1 or more"))
    ours = told.repair == "pellucid.data.repair:repair"
    beside = told.contradictions or ("pellucid.data.repair:contradictions" if ours else "")
    contradictions = named(beside, "--contradictions") if beside else lambda rows: []
    kinds = told.kinds.split(",") if told.kinds else None
    if told.pairs:
        rows = planted_there(told.pairs)
    elif told.own:
        rows = planted_in_own(told.own, told.seed, kinds)
    else:
        rows = planted_here(told.seed, told.rows, kinds, told.two)
    return measure(rows, named(told.repair, "--repair"), contradictions, told.show)


def main() -> None:
    """Measure, print, and say by the exit status whether the figures are met (`--check`)."""
    told = options()
    try:
        found = run(told)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(f"seed {told.seed}, {len(FAULTS)} kinds, repair {told.repair}")
    print("\n".join(lines(found)))
    for name, shown in sorted(found.shown.items()):
        for one in shown:
            print(f"-- {name}: {one['outcome']}, flags {one['flags']}")
            for when in ("clean", "faulty", "after"):
                print(f"   {when:<6} {json.dumps(one[when], ensure_ascii=False)}")
    if told.json:
        write_json(told.json, as_json(found, told))
    sys.exit(1 if told.check and not all(figure.met for figure in figures(found)) else 0)


if __name__ == "__main__":
    main()
