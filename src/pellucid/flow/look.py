"""Records as text: of a run as training sees them (ids, mask, images), of a store plainly."""

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.data.looking.records import lines
from pellucid.flow.named import named, sources_of
from pellucid.flow.names import checkpoint_folder
from pellucid.flow.runs import open_run
from pellucid.prompt.render import Renderer
from pellucid.prompt.show import coloured, plain
from pellucid.schema.artifact import Artifact
from pellucid.schema.record import SPLITS, Record


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records to show; empty fields let everything through."""

    source: str
    """A source of the run; in a store's folder, a dataset."""
    task: str
    id: str
    split: str
    count: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One record for people."""

    record: Record
    text: str
    examples: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the record without its raw bytes, and how it is rendered."""
        tree = asdict(self.record)
        tree["raw_bytes"] = len(tree.pop("raw"))
        return {"record": tree, "examples": list(self.examples)}


def look(home: Path, reference: str, wanted: Filter, colour: bool, like: str = "") -> list[Shown]:
    """Records, rendered where a conversation format is known: that of the run's first checkpoint.

    Args:
        home: the workspace.
        reference: a run, one source of it as `RUN:SOURCE`, or the folder of a store.
        wanted: which records.
        colour: mark what is supervised in colour.
        like: the run whose format renders the records of a store of its own; they are told plainly
            when empty.

    Raises:
        UserError: no such run, store, source or record.
    """
    found = sources_of(home, reference)
    if found is not None:
        if like:
            rule, fix = "is for a store's folder", "leave it out; a run has its own format"
            raise UserError(Problem("--like", like, rule, fix))
        run = reference.partition(":")[0]
        renderer: Renderer | None = _renderer(home, run)
    else:
        renderer = _renderer(home, like) if like else None
    records = _records(home, reference, found, wanted)
    return [_show(one, renderer, colour) if renderer else _plain(one) for one in records]


def _renderer(home: Path, run: str) -> Renderer:
    """The conversation format of a run's first checkpoint."""
    artifacts = open_run(home, run)
    if "init" not in artifacts:
        fix = "run it with --only init first"
        raise UserError(Problem("run", run, "has no checkpoint to render with", fix))
    return Renderer.load(checkpoint_folder(artifacts["init"]))


def _records(
    home: Path, reference: str, sources: dict[str, Artifact] | None, wanted: Filter
) -> list[Record]:
    """The first records that are wanted. In a folder, a source is a dataset."""
    if wanted.split and wanted.split not in SPLITS:
        fix = did_you_mean(wanted.split, SPLITS)
        raise UserError(Problem("--split", wanted.split, "is not a split", fix))
    folders, dataset = list(named(home, reference).values()), wanted.source
    if sources is not None:
        if wanted.source and wanted.source not in sources:
            fix = did_you_mean(wanted.source, sources)
            raise UserError(Problem("--source", wanted.source, "is not in this run", fix))
        folders = [one.path for name, one in sources.items() if wanted.source in ("", name)]
        dataset = ""
    found = (
        record
        for record in store.open(*folders).records(tasks=(wanted.task,) if wanted.task else ())
        if record.id.startswith(wanted.id)
        and wanted.split in ("", record.source.split)
        and dataset in ("", record.source.dataset)
    )
    records = list(islice(found, wanted.count))
    if not records:
        told = {name: value for name, value in asdict(wanted).items() if value}
        raise UserError(Problem("records", told, "fit no record", "loosen a filter"))
    return records


def _plain(record: Record) -> Shown:
    """Its facts and what is said, where no format is known."""
    return Shown(record, "\n".join(lines(record)), ())


def _show(record: Record, renderer: Renderer, colour: bool) -> Shown:
    source = record.source
    gold = f"{record.answer.kind} {record.answer.gold}" if record.answer else "none"
    head = [
        f"record {record.id}  task {record.task}  split {source.split}",
        f"from {source.dataset} row {source.row}  licence {source.licence}",
        f"gold {gold}",
    ]
    show = coloured if colour else plain
    rendered = renderer.examples(record)
    body = [show(one, renderer) for one in rendered] or ["nothing in it is supervised"]
    examples = tuple(
        {
            "mode": one.mode,
            "ids": list(one.ids),
            "supervised": list(one.supervised),
            "spans": [asdict(span) for span in one.spans],
        }
        for one in rendered
    )
    return Shown(record, "\n".join([*head, *body]), examples)
