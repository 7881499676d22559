"""Carry an operator over the shards of one store; what is done is not done again.

A shard's labels are known by the hash of the operator, its parameters, and the content that it
reads, and are written whole or not at all. So a killed run goes on, and it does not matter who ran
which shard: the manifests are equal byte by byte. Where there are fewer shards than workers, the
images of a shard are shared out, and what was made of them is put together again.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pellucid import store
from pellucid.base.errors import PellucidError, boundary
from pellucid.base.hashing import hash_bytes, hash_file, hash_json
from pellucid.base.lookup import pick
from pellucid.base.paths import sweep_temporaries
from pellucid.base.progress import Progress
from pellucid.data.ops.base import Operator
from pellucid.data.runners import RUNNERS, Runner
from pellucid.store import arrow, layout
from pellucid.store.images import Location, members, read_at


class Task(NamedTuple):
    """One operator on one shard."""

    folder: str
    shard: str
    operator: Operator
    key: str


class Piece(NamedTuple):
    """Some of the images of one shard."""

    task: Task
    start: int
    shown: list[tuple[str, Location]]
    """SHA-256 and place, in order."""


_PIECES = 4
"""Pieces for each worker, so that one slow piece does not keep the others waiting."""
_LEAST_PIECE = 32
"""Images that are worth a piece."""


def run_operator(
    folder: Path, operator: Operator, runner: str = "local", workers: int = 1
) -> dict[str, Any]:
    """Make the labels of every shard of a store.

    Args:
        folder: a finished store.
        operator: what to do.
        runner: a name in `RUNNERS`.
        workers: how many shards at a time.

    Returns:
        The manifest, as it stands in `labels/<op>@<version>/manifest.json`.

    Raises:
        UserError: it is no store, or the runner cannot be used.
    """
    run = pick(RUNNERS, runner, "--runner")
    shards = shards_of(folder)
    keys = {shard: shard_key(folder, shard, operator) for shard in shards}
    named = operator.name, operator.version
    todo = _wanting(folder, operator, keys)
    if operator.over == "images" and 0 < len(todo) < 2 * workers and workers > 1:
        _shared_out(todo, run, workers)
    else:
        progress, done = Progress(f"{operator.name} {folder.name}", len(shards)), len(shards)
        for left, _ in enumerate(run(do, todo, workers, operator.resources), 1 - len(todo)):
            progress.at(done + left, "shards")
    home = layout.labels(folder, *named)
    with boundary("sweeping the labels"):
        sweep_temporaries(home) if home.is_dir() else None
    return store.write_manifest(folder, *named, {"params": dict(operator.params), "keys": keys})


def to_do(folder: Path, operator: Operator) -> list[Task]:
    """What `run_operator` would do: the shards whose labels are not there, or not this operator's.

    Raises:
        UserError: it is no store.
    """
    keys = {shard: shard_key(folder, shard, operator) for shard in shards_of(folder)}
    return _wanting(folder, operator, keys)


def _wanting(folder: Path, operator: Operator, keys: dict[str, str]) -> list[Task]:
    named = operator.name, operator.version
    return [
        Task(str(folder), shard, operator, key)
        for shard, key in keys.items()
        if store.part_key(folder, *named, shard) != key
    ]


def shards_of(folder: Path) -> list[str]:
    """Names of a store's shards, in order.

    Raises:
        UserError: the folder is no finished store.
    """
    store.check(folder)
    with boundary("reading the store"):
        return list(json.loads((folder / layout.STORE).read_text(encoding="utf-8"))["shards"])


def shard_key(folder: Path, shard: str, operator: Operator) -> str:
    """The hash of all that decides an operator's labels of a shard."""
    known: dict[str, Any] = {
        "op": operator.name,
        "version": operator.version,
        "over": operator.over,
        "needs": list(operator.needs),
        "params": dict(operator.params),
    }
    with boundary("reading the store"):
        if operator.over == "records":
            known["records"] = hash_file(folder / layout.records(shard))
        if operator.over == "images":
            shown = sorted(sha256 for sha256, _ in _pack(folder, shard))
            known["images"] = hash_bytes("\n".join(shown).encode())
        elif operator.needs_images:
            known["images"] = hash_file(folder / layout.INDEX)
    return hash_json(known)


def do(task: Task) -> str:
    """Make one shard's labels; what a runner calls.

    Returns:
        The shard's name.
    """
    _write(task, _made(task))
    return task.shard


def do_piece(piece: Piece) -> tuple[str, int, pa.Table]:
    """The labels of some images of a shard, not yet written; what a runner calls.

    Returns:
        The shard's name, where the piece starts, and its labels.
    """
    return piece.task.shard, piece.start, _made(piece.task, piece.shown)


def _made(task: Task, shown: list[tuple[str, Location]] | None = None) -> pa.Table:
    """Labels of a shard, or of some of its images."""
    folder, operator = Path(task.folder), task.operator
    with boundary(f"reading shard {task.shard}"):
        if operator.over == "records":
            path = folder / layout.records(task.shard)
            table = arrow.read_table(path, operator.needs)
            read = _Placed(folder)
        else:
            places = dict(sorted(_pack(folder, task.shard)) if shown is None else shown)
            table = pa.table({"sha256": pa.array(places, pa.string())})
            read = _Placed(folder, places)
        images = read if operator.needs_images else _refuse
        made = operator.run(table, images)
    return made.select(operator.gives.names).cast(operator.gives)


def _write(task: Task, made: pa.Table) -> None:
    folder, operator = Path(task.folder), task.operator
    store.write_part(folder, operator.name, operator.version, task.shard, task.key, made)


def _shared_out(todo: list[Task], run: Runner, workers: int) -> None:
    """Make the labels of a few shards in pieces; each shard is written when its last one is there.

    What a killed call loses is the shards that it had not written, as in `do`.
    """
    packs = [sorted(_pack(Path(task.folder), task.shard)) for task in todo]
    total = sum(map(len, packs))
    step = max(_LEAST_PIECE, -(-total // (_PIECES * workers)))
    pieces = [
        Piece(task, start, shown[start : start + step])
        for task, shown in zip(todo, packs, strict=True)
        for start in range(0, max(1, len(shown)), step)
    ]
    waiting: dict[str, dict[int, pa.Table]] = {task.shard: {} for task in todo}
    counts = Counter(piece.task.shard for piece in pieces)
    operator = todo[0].operator
    progress, done = Progress(f"{operator.name} {Path(todo[0].folder).name}", total), 0
    of_shard = {task.shard: task for task in todo}
    for shard, start, made in run(do_piece, pieces, workers, operator.resources):
        parts = waiting[shard]
        parts[start] = made
        done += len(made)
        progress.at(done, "images")
        if len(parts) == counts[shard]:
            _write(
                of_shard[shard],
                pa.concat_tables([parts[at] for at in sorted(parts)]).combine_chunks(),
            )
            parts.clear()


def _pack(folder: Path, shard: str) -> list[tuple[str, Location]]:
    return members(folder / "images" / layout.pack(shard))


class _Placed:
    """Encoded images by SHA-256; the store's index is read when the first of them is asked for."""

    def __init__(self, folder: Path, places: dict[str, Location] | None = None) -> None:
        self._folder, self._places = folder, places

    def __call__(self, sha256: str) -> bytes:
        if self._places is None:
            columns = ["sha256", "pack", "offset", "length"]
            images = self._folder / "images"
            self._places = {
                row["sha256"]: Location(images / row["pack"], row["offset"], row["length"])
                for row in arrow.read_table(self._folder / layout.INDEX, columns).to_pylist()
            }
        return read_at(self._places[sha256])


def _refuse(sha256: str) -> bytes:
    raise PellucidError(f"image {sha256} was asked for by an operator that declares no images")
