"""Records of a run as training sees them: ids, mask and images, as text."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
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


def look(home: Path, run: str, wanted: Filter, colour: bool) -> list[Shown]:
    """Records of a run, rendered with the conversation format of its first checkpoint.

    Raises:
        UserError: no such run, source or record.
    """
    artifacts = open_run(home, run)
    renderer = Renderer.load(checkpoint_folder(_checkpoint(artifacts, run)))
    records = _records(artifacts, wanted)
    return [_show(record, renderer, colour) for record in records[: wanted.count]]


def _checkpoint(artifacts: dict[str, Artifact], run: str) -> Artifact:
    if "init" not in artifacts:
        fix = "run it with --only init first"
        raise UserError(Problem("run", run, "has no checkpoint to render with", fix))
    return artifacts["init"]


def _records(artifacts: dict[str, Artifact], wanted: Filter) -> list[Record]:
    sources = {
        name.removeprefix("data."): artifact
        for name, artifact in artifacts.items()
        if artifact.manifest.type == "data"
    }
    if wanted.source and wanted.source not in sources:
        fix = did_you_mean(wanted.source, sources)
        raise UserError(Problem("--source", wanted.source, "is not in this run", fix))
    if wanted.split and wanted.split not in SPLITS:
        fix = did_you_mean(wanted.split, SPLITS)
        raise UserError(Problem("--split", wanted.split, "is not a split", fix))
    chosen = [wanted.source] if wanted.source else list(sources)
    records = store.open(*(sources[name].path for name in chosen)).records(
        tasks=(wanted.task,) if wanted.task else ()
    )
    found = [
        record
        for record in records
        if record.id.startswith(wanted.id)
        and (not wanted.split or record.source.split == wanted.split)
    ]
    if not found:
        told = {name: value for name, value in asdict(wanted).items() if value}
        raise UserError(Problem("records", told, "fit no record", "loosen a filter"))
    return found


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
