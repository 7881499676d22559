"""From a number of a report to what made it: rows, rollouts, checkpoint, mix, sources, commit.

Every number in `report.json` names the job whose artifact it came from. From there the manifests
lead upwards, parent by parent, and the artifact's own files lead down to single rows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import SHORT
from pellucid.base.lookup import did_you_mean, nearest
from pellucid.eval.latency import LATENCY
from pellucid.eval.page import JSON
from pellucid.eval.reinforcement import TABLES
from pellucid.eval.report import load_rows
from pellucid.eval.rows import select
from pellucid.flow.overlap import OVERLAPS
from pellucid.flow.report import LOG, read_lines, rl_rows
from pellucid.flow.run import REPORT
from pellucid.flow.runs import open_run
from pellucid.release import OVERLAP
from pellucid.schema.artifact import Artifact

_POINT = re.compile(r"(?P<curve>.+)\[(?P<step>\d+)\]")

Row = dict[str, Any]
_LEFT_OUT = ("unscored", "failed")
"""Counts of rows that a number leaves out; told where there are some."""


@dataclass(frozen=True, slots=True)
class Link:
    """One artifact on the way from a number to its sources."""

    job: str
    type: str
    content_hash: str
    key: str
    folder: str
    commit: str
    dirty: bool
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A number, the rows it aggregates, and the artifacts it rests on."""

    id: str
    number: Mapping[str, Any]
    rows: tuple[Row, ...]
    """Eval rows, log lines and rollouts, or ledger rows, by the kind of job."""
    records: tuple[Row, ...]
    """Where those rows' records came from: id, dataset, row, licence."""
    chain: tuple[Link, ...]
    """The number's own job first, then its ancestors."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "id": self.id,
            "number": dict(self.number),
            "rows": list(self.rows),
            "records": list(self.records),
            "chain": [asdict(link) for link in self.chain],
        }

    def text(self, rows: int) -> str:
        """For people, lines within 80 columns where the content allows."""
        told = ", ".join(
            f"{name} {_short(self.number[name])}"
            for name in ("value", "low", "high", "n", *_LEFT_OUT, "method", "seed")
            if self.number.get(name) is not None and (name not in _LEFT_OUT or self.number[name])
        )
        lines = [self.id, f"  {told}", "", f"rows ({len(self.rows)}):"]
        lines += [f"  {_line(row)}" for row in self.rows[:rows]]
        if len(self.rows) > rows:
            lines.append(f"  ... {len(self.rows) - rows} more; --json has all")
        lines += ["", f"records ({len(self.records)}):"]
        lines += [
            f"  {item['id'][:SHORT]}  {item['dataset']} row {item['row']}, {item['licence']}"
            for item in self.records[:rows]
        ]
        return "\n".join([*lines, "", *told_chain(self.chain)])


def trace(home: Path, run: str, id: str) -> Trace:
    """Follow a number of a run's report.

    Args:
        home: the workspace.
        run: name of the run.
        id: a number's id in report.json; `<curve>[<step>]` for a point of a curve.

    Raises:
        UserError: there is no such run, report or number.
    """
    artifacts = open_run(home, run)
    path = home / run / REPORT / JSON
    _check_fresh(path, artifacts, run)
    number = find_number(path, id)
    artifact = artifacts[number["job"]]
    links = chain(artifact, artifacts)
    folders = [artifacts[link.job].path for link in links if link.type == "data"]
    if artifact.manifest.type == "release":
        rows = _judged(artifacts, artifact, number)
    else:
        rows = _rows(artifact, number, folders)
    return Trace(number["id"], number, tuple(rows), tuple(_records(rows, folders)), tuple(links))


def told_chain(links: Sequence[Link]) -> list[str]:
    """The artifacts that something rests on, as lines for people."""
    lines = ["rests on:"]
    for link in links:
        source = f"{link.commit[:SHORT]}{' (dirty)' if link.dirty else ''}"
        lines.append(f"  {link.job:<18} {link.content_hash[:SHORT]}  commit {source}")
        lines.append(f"    {link.folder}")
    return lines


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        fix = "let the run finish: pellucid run <recipe>"
        raise UserError(Problem("run", path.parent.parent.name, "has no report yet", fix))
    with boundary("reading"):
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return tree


def _check_fresh(path: Path, artifacts: Mapping[str, Artifact], run: str) -> None:
    """Refuse a report that another state of the run made: its numbers have other rows."""
    told = {job["name"]: job["content_hash"] for job in _read(path)["jobs"]}
    if told != {name: artifact.hash for name, artifact in artifacts.items()}:
        rule = "has a report that is older than its artifacts"
        raise UserError(Problem("run", run, rule, "run the recipe again, to its end"))


def find_number(path: Path, id: str) -> dict[str, Any]:
    """A number of report.json by its id, with that id and the `job` that it came from.

    `eval.final.` stands for the last checkpoint, as in the recipe's checks.
    """
    tree = _read(path)
    evals = [job["name"] for job in tree["jobs"] if job["type"] == "eval"]
    if id.startswith("eval.final.") and evals:
        id = f"{evals[-1]}.{id.removeprefix('eval.final.')}"
    numbers = {**tree["numbers"], **tree["timing"]["numbers"]}
    for job, seconds in tree["timing"]["jobs"].items():
        numbers[f"timing.jobs.{job}"] = {"value": seconds, "unit": "seconds", "job": job}
    if id in numbers:
        return {"id": id, **numbers[id]}
    point = _POINT.fullmatch(id)
    if point and point["curve"] in tree["curves"]:
        curve = tree["curves"][point["curve"]]
        for step, value in curve["points"]:
            if step == int(point["step"]):
                return {
                    "id": id,
                    "value": value,
                    "unit": curve["unit"],
                    "job": curve["job"],
                    "step": step,
                }
    known = [*numbers, *(f"{curve}[0]" for curve in tree["curves"])]
    fix = did_you_mean(id, known) if nearest(id, known) else f"see the ids in {path}"
    raise UserError(Problem("number", id, "is not in the report", fix))


def _rows(artifact: Artifact, number: Mapping[str, Any], folders: list[Path]) -> list[Row]:
    """What a number aggregates, from the artifact of its job."""
    match artifact.manifest.type:
        case "eval" if number.get("unit") == "s":
            return select(read_lines(artifact.path / LATENCY), number["rows"])
        case "eval" if number.get("rows"):
            return select(load_rows(artifact.path), number["rows"])
        case "eval":
            return load_rows(artifact.path)
        case "train":
            return _log_lines(artifact, number)
        case "rl":
            return _rl_rows(artifact, number)
        case "mix":
            return _mix_rows(artifact, number["id"], folders)
        case _:
            return []


def _rl_rows(artifact: Artifact, number: Mapping[str, Any]) -> list[Row]:
    """Rows of the job's tables, or lines of its log with the rollouts of their batches."""
    table = number["id"].split(".")[1]
    if table in TABLES:
        return select(rl_rows(artifact, table), number["rows"])
    lines = _log_lines(artifact, number)
    return lines + [
        row
        for batch in sorted({line["batch"] for line in lines})
        for row in read_lines(artifact.path / "rollouts" / f"batch-{batch:05d}.jsonl")
    ]


def _judged(
    artifacts: Mapping[str, Artifact], release: Artifact, number: Mapping[str, Any]
) -> list[Row]:
    """What the gate looked at: rows of both sides of a difference, or the known records."""
    if number["id"] == OVERLAP:
        return read_lines(release.path / OVERLAPS)
    found: list[Row] = []
    for id, where in number.get("sides", {}).items():
        evaluation = artifacts[".".join(id.split(".")[:2])]
        found += select(load_rows(evaluation.path), where)
    return found


def _mix_rows(artifact: Artifact, id: str, folders: list[Path]) -> list[Row]:
    """What a count of a mix counted: ledger rows for what was left out, else rows of the mix."""
    mix, opened = store.read_mix(artifact.path), store.open(*folders)
    group, _, leaf = id.removeprefix(f"{artifact.name}.").partition(".")
    if group == "left_out":
        lost = [row for row in mix.ledger if row.reason == leaf]
        return [{"record": row.id, "take": row.take, "reason": row.reason} for row in lost]
    sources = {row.id: row.source for row in mix.ledger if row.decision == "kept"}
    rows = []
    for row in mix.rows:
        record = opened.get(row.id)
        own = "think" if record.messages[-1].mode == "think" else "nothink"
        told = {
            "by_source": sources[row.id],
            "by_task": f"{sources[row.id]}/{record.task}",
            "by_mode": own if row.mode == "as_is" else row.mode,
        }
        if told.get(group, leaf) == leaf:
            rows.append({"record": row.id, "repeat": row.repeat, "mode": told["by_mode"]})
    return rows


def _log_lines(artifact: Artifact, number: Mapping[str, Any]) -> list[Row]:
    """The lines of a mean, the line of a curve's point, or the last one for where a curve ends."""
    lines = read_lines(artifact.path / LOG)
    if number.get("rows"):
        return select(lines, number["rows"])
    if "step" in number:
        return [line for line in lines if line["step"] == number["step"]]
    return lines[-1:]


def chain(artifact: Artifact, artifacts: Mapping[str, Artifact]) -> list[Link]:
    """An artifact and all its ancestors, nearest first."""
    queue, seen = [artifact.name], dict[str, Link]()
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        manifest = artifacts[name].manifest
        seen[name] = Link(
            name,
            manifest.type,
            manifest.content_hash,
            manifest.key,
            str(artifacts[name].path),
            manifest.commit,
            manifest.dirty,
            tuple(manifest.parents),
        )
        queue += manifest.parents
    return list(seen.values())


def _records(rows: list[Row], folders: list[Path]) -> list[Row]:
    """Sources of the records that rows name."""
    ids = dict.fromkeys(id for row in rows for id in _named(row))
    if not ids or not folders:
        return []
    opened = store.open(*folders)
    found = []
    for id in ids:
        source = asdict(opened.get(id).source)
        found.append({"id": id, **source})
    return found


def _named(row: Row) -> list[str]:
    return [row["record"]] if isinstance(row.get("record"), str) else []


def _line(row: Row) -> str:
    """The telling part of a row."""
    if "outcome" in row:
        score = row.get("score", row.get("reward", row.get("accuracy")))
        if score is None and row.get("why"):
            score = f"{row['status']} ({row['why']})"
        text = json.dumps(row.get("text", ""), ensure_ascii=False)
        return f"{str(row.get('record', ''))[:SHORT]}  {row['outcome']:<10} {score}  {text}"[:78]
    return json.dumps(row, ensure_ascii=False)[:400]


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
