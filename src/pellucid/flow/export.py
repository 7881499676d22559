"""A checkpoint of a run as a folder of its own: to ship, to hand on, to start other runs from.

    config.json, model.safetensors, ...   the checkpoint, in full or half precision
    recipe.yaml        the run's resolved recipe; of files outside the package only their names
    log.jsonl          log lines of all stages up to the checkpoint, thinned to `LOG_BYTES`
    trained_on.bin     which pictures it has seen, from its first weights on (`store.digest`)
    provenance.json    seed, hashes of the artifacts it rests on and of the files beside it, commit,
                       library versions

Equal runs give equal bytes; no path of this machine is written. Leaves out on purpose: the data,
and the verdict of a gate (the catalog keeps that).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.lookup import unknown
from pellucid.base.paths import publish, remove_tree, write_json, write_text
from pellucid.flow.names import checkpoint_folder, checkpoint_job, checkpoint_name
from pellucid.flow.report import LOG, read_lines
from pellucid.flow.run import RECIPE
from pellucid.flow.runs import open_run
from pellucid.flow.workspace import check
from pellucid.recipe import load, to_yaml
from pellucid.schema.artifact import Artifact
from pellucid.store import TRAINED_ON, prefix, read_digest, write_digest

PROVENANCE = "provenance.json"

LOG_BYTES = 200_000
"""Most bytes of the exported log."""

_PATHS = ("path", "image_folder", "inputs", "tokenizer", "card")
"""Fields of a recipe that name files."""

_SLICES = {"data": "source", "mix": "mix", "init": "model", "train": "stage", "rl": "rl"}
"""Where the manifest of each type of job holds its part of the recipe."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    checkpoint: str
    weights: str
    """Number format of the weights: float32 or float16."""
    bytes: int
    """Size of all files together."""
    pictures: int
    """Different pictures that the checkpoint was trained on."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for printing."""
        return {**asdict(self), "folder": str(self.folder)}


def export(
    home: Path, run: str, target: Path, checkpoint: str, half: bool, like: Path | None = None
) -> Exported:
    """Copy a checkpoint of a run, with where it comes from, into a new folder.

    Args:
        home: the workspace.
        run: name of the run.
        target: the folder; may exist when it is empty. It gets its name when it is whole.
        checkpoint: name of a checkpoint of the recipe (`init`, a stage, `rl`), or `final`.
        half: write the weights as 16-bit floats.
        like: a folder in a published layout that the run started from: its files are copied, its
            weights replaced in the dtype that they have there.

    Raises:
        UserError: there is no such run or checkpoint, the run's recipe or artifacts have changed
            since it was made, the target holds something, or `like` is of another model.
        DiskError: the machine refused a file operation.
    """
    target = target.expanduser().resolve()
    _refuse_taken(target)
    if like is not None and half:
        rule = "cannot be chosen: the weights get the dtype that they have in --like"
        raise UserError(Problem("--half", True, rule, "leave one of the two out"))
    lineage = _lineage(home, run, checkpoint)
    tree = yaml.safe_load((home / run / RECIPE).read_text(encoding="utf-8"))
    _check_recipe(tree, lineage, run)
    partial = target.with_name(f".{target.name}.partial")
    with boundary("exporting to"):
        remove_tree(partial)
        partial.mkdir(parents=True)
        try:
            pictures = _fill(partial, run, tree, lineage, half, like)
            publish(partial, target)
        finally:
            remove_tree(partial)
    size = sum(path.stat().st_size for path in target.iterdir())
    name = checkpoint_name(lineage[-1].name)
    return Exported(target, name, _precision(half, like), size, pictures)


def _fill(
    folder: Path,
    run: str,
    tree: dict[str, Any],
    lineage: Sequence[Artifact],
    half: bool,
    like: Path | None,
) -> int:
    """Write every file; return the number of pictures."""
    from pellucid.model import checkpoint

    loaded = checkpoint.load(checkpoint_folder(lineage[-1]))
    if like is None:
        checkpoint.save(loaded.model, loaded.renderer, folder, half)
    else:
        checkpoint.save_like(loaded, like, folder)
    write_text(folder / RECIPE, to_yaml(_portable(tree)))
    lines, every = _thinned(_log_lines(lineage))
    write_text(folder / LOG, "".join(lines))
    seen = _pictures(lineage)
    write_digest(folder / TRAINED_ON, seen)
    last = lineage[-1].manifest
    provenance = {
        "run": run,
        "checkpoint": checkpoint_name(last.name),
        "seed": tree["seed"],
        "weights": _precision(half, like),
        "artifacts": {item.name: _told(item) for item in lineage},
        "environment": last.environment,
        "commit": last.commit,
        "dirty": last.dirty,
        "log_every": every,
        "pictures": len(seen),
        "files": {path.name: hash_file(path) for path in sorted(folder.iterdir())},
    }
    write_json(folder / PROVENANCE, provenance)
    return len(seen)


def _refuse_taken(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        rule = "holds something already" if target.is_dir() else "is a file"
        raise UserError(Problem("--to", str(target), rule, "remove it, or name another folder"))


def _precision(half: bool, like: Path | None) -> str:
    if like is not None:
        return f"as in {like.name}"
    return "float16" if half else "float32"


def _lineage(home: Path, run: str, checkpoint: str) -> list[Artifact]:
    """The artifacts that a checkpoint rests on, parents before children; its own is the last."""
    artifacts = open_run(home, run)
    recipe = load(str(home / run / RECIPE))
    known = (*recipe.checkpoints, "final")
    if checkpoint not in known:
        raise UserError(unknown("--checkpoint", checkpoint, known))
    job = checkpoint_job(recipe, checkpoint)
    if job not in artifacts:
        rule = f"has not made its checkpoint {checkpoint_name(job)} yet"
        raise UserError(Problem("run", run, rule, "run the recipe again, to its end"))
    wanted, found = {job}, list[Artifact]()
    for name, artifact in reversed(artifacts.items()):
        if name in wanted:
            wanted |= artifact.manifest.parents.keys()
            found.append(check(artifact))
    for artifact in found:
        for parent, content_hash in artifact.manifest.parents.items():
            if parent not in artifacts or artifacts[parent].hash != content_hash:
                raise _changed(run, f"{artifact.name} was built on another {parent}")
    return found[::-1]


def _check_recipe(tree: Mapping[str, Any], lineage: Sequence[Artifact], run: str) -> None:
    """Refuse a recipe that another state of the run left; its artifacts have slices of their own.

    Compared as they were written, not as this version of the program reads them.
    """
    parts = {
        "init": tree["model"],
        "rl": tree["rl"],
        **{f"data.{name}": source for name, source in tree["data"]["sources"].items()},
        **{f"mix.{name}": mix for name, mix in tree["data"]["mixes"].items()},
        **{f"train.{stage['name']}": stage for stage in tree["train"]["stages"]},
    }
    for artifact in lineage:
        told = artifact.manifest.slice
        part = told[_SLICES[artifact.manifest.type]]
        other = told["seed"] != tree["seed"] or artifact.name not in parts
        if other or _without_files(part) != _without_files(parts[artifact.name]):
            raise _changed(run, f"{artifact.name} was built for another recipe")


def _changed(run: str, what: str) -> UserError:
    rule = f"has changed since it was last finished: {what}"
    return UserError(Problem("run", run, rule, "run the recipe again, to its end"))


def _without_files(value: Any) -> Any:
    """A part of a recipe as slices hold it.

    Not where files lie, of which they have the hashes, and nothing for what is absent.
    """
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if key not in _PATHS and inner is not None}
    return {key: _without_files(inner) for key, inner in kept.items()}


def _portable(value: Any, key: str = "") -> Any:
    """A recipe in which files outside the package are named without their folders."""
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _portable(inner, name) for name, inner in value.items()}
    outside = key in _PATHS and isinstance(value, str) and value.startswith(("/", "~"))
    return Path(value).name if outside else value


def _told(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {"content_hash": manifest.content_hash, "key": manifest.key, "commit": manifest.commit}


def _log_lines(lineage: Sequence[Artifact]) -> list[list[str]]:
    """The log of every stage, each line with its stage's name first."""
    return [
        [
            json.dumps({"stage": checkpoint_name(item.name), **line}, ensure_ascii=False) + "\n"
            for line in read_lines(item.path / LOG)
        ]
        for item in lineage
        if item.manifest.type in ("train", "rl")
    ]


def _thinned(logs: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Every k-th line of each log and its last, k the smallest that fits in `LOG_BYTES`; and k."""
    longest = max((1, *(len(log) for log in logs)))
    for every in range(1, longest + 1):
        kept = [
            line
            for log in logs
            for at, line in enumerate(log)
            if at % every == 0 or at == len(log) - 1
        ]
        if sum(len(line.encode()) for line in kept) <= LOG_BYTES:
            break
    return kept, every


def _pictures(lineage: Sequence[Artifact]) -> set[str]:
    """Prefixes of the pixel hashes of all that was trained on, for the first weights included."""
    by_name = {item.name: item for item in lineage}
    before = by_name["init"].path / TRAINED_ON
    seen = set(read_digest(before)) if before.is_file() else set()
    for item in lineage:
        if item.manifest.type == "mix":
            mix = store.read_mix(item.path)
            sources = sorted({row.source for row in mix.ledger if row.decision == "kept"})
            stores = store.open(*(by_name[f"data.{name}"].path for name in sources))
            seen |= {prefix(pixels) for pixels in stores.pixel_hashes([row.id for row in mix.rows])}
    return seen
