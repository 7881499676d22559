"""One record's whole way, through its store and through the mixes of the run that holds it.

The way of a number of a report is `trace.py`; both tell the artifacts that they rest on alike.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.data.looking.trace import RecordTrace, follow
from pellucid.flow.named import named, sources_of
from pellucid.flow.runs import open_run
from pellucid.flow.trace import Link, chain, told_chain


@dataclass(frozen=True, slots=True)
class Taken:
    """What one ingredient of a mix did with the record."""

    mix: str
    take: int
    decision: str
    reason: str
    repeat: int
    """How often the mix shows it per epoch; 0 when it was left out."""
    mode: str


@dataclass(frozen=True, slots=True)
class RecordWay:
    """A record's way; the last two are empty for a store that is no run's."""

    trace: RecordTrace
    mixes: tuple[Taken, ...]
    chain: tuple[Link, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.trace.as_dict(),
            "mixes": [asdict(taken) for taken in self.mixes],
            "chain": [asdict(link) for link in self.chain],
        }

    def text(self) -> str:
        """For people."""
        told = [self.trace.text()]
        if self.mixes:
            told += ["", "mixes:"]
        for one in self.mixes:
            why = f"left out: {one.reason}"
            if one.decision == "kept":
                why = f"taken, {one.repeat} times an epoch, mode {one.mode}"
            told.append(f"  {one.mix}, ingredient {one.take}: {why}")
        if self.chain:
            told += ["", *told_chain(self.chain)]
        return "\n".join(told)


def record_way(home: Path, reference: str, id: str) -> RecordWay:
    """Follow a record.

    Args:
        home: the workspace.
        reference: what `named` takes.
        id: the record's id, or the start of it.

    Raises:
        UserError: there is no such store or record, or the id fits several.
        DiskError: a file cannot be read.
    """
    found = sources_of(home, reference)
    if found is None:
        return RecordWay(follow(list(named(home, reference).values()), id), (), ())
    artifacts = open_run(home, reference.partition(":")[0])
    trace = follow([artifact.path for artifact in found.values()], id)
    holds = [one for one in found.values() if Path(trace.file).is_relative_to(one.path)]
    mixes = {name: one.path for name, one in artifacts.items() if one.manifest.type == "mix"}
    return RecordWay(
        trace,
        tuple(taken for name, path in mixes.items() for taken in _taken(name, path, trace)),
        tuple(link for one in holds for link in chain(one, artifacts)),
    )


def _taken(name: str, folder: Path, trace: RecordTrace) -> list[Taken]:
    rows = {row.id: row for row in store.read_mix(folder).rows if row.id == trace.record.id}
    found = []
    for told in store.read_ledger_of(folder, trace.record.id):
        row = rows.get(told.id) if told.decision == "kept" else None
        found.append(
            Taken(
                name.removeprefix("mix."),
                told.take,
                told.decision,
                told.reason,
                row.repeat if row else 0,
                row.mode if row else "",
            )
        )
    return found
