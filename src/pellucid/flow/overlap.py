"""Whether anything that is asked was learnt from: test records against all that the model saw.

A record is known when its (pixel hashes, question, gold) stands in a mix of the run, or when one of
its pictures stands among those that the first checkpoint was trained on (`store.digest`).

Keys are compared as hashes, which lie on the disk; ids are read of those alone that match. Leaves
out on purpose: near duplicates, and questions without pictures in what came before the first
checkpoint.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.mix.pool import held_out, read_content
from pellucid.flow.stores import stores_of
from pellucid.release import OVERLAP
from pellucid.schema.artifact import Artifact
from pellucid.schema.record import SPLITS
from pellucid.schema.report import Metric
from pellucid.store import TRAINED_ON, Store, arrow, layout, prefix, read_digest

OVERLAPS = "overlaps.jsonl"
"""File of a release artifact with a row for each known record."""
BEFORE = "first checkpoint"
_TEST = SPLITS.index("test")
_BATCH_ROWS = 16384


class Overlaps(NamedTuple):
    """What was found."""

    metric: Metric
    """Number of known records, among all that were looked at."""
    rows: list[dict[str, Any]]
    """One for each known record: record, task, source, and where it was seen."""


def find_overlaps(parents: Mapping[str, Artifact]) -> Overlaps:
    """Look for the test records of every evaluated source in what the model learnt from.

    Args:
        parents: all artifacts of the run, by job name.
    """
    stores, evaluated = stores_of(parents), _evaluated(parents)
    learnt = _learnt(parents, stores, held_out([stores[name] for name in evaluated], "test"))
    init = parents["init"]
    built = init.manifest.slice["model"]["kind"] == "build"
    digest = init.path / TRAINED_ON
    before = read_digest(digest) if digest.is_file() else frozenset()
    count, rows = 0, []
    for name in evaluated:
        earlier = _shown(stores[name], before) if before else frozenset()
        for number, id, task, key in _tests(stores[name]):
            count += 1
            seen = sorted(learnt.get(key, ()))
            seen += [BEFORE] if number in earlier else []
            if seen:
                told = {"record": id, "record_task": task, "source": name}
                rows.append({**told, "seen_in": seen})
    return Overlaps(_metric(count, len(rows), known=built or digest.is_file()), rows)


def _learnt(
    parents: Mapping[str, Artifact], stores: Mapping[str, Store], asked: np.ndarray
) -> dict[bytes, set[str]]:
    """Those of some keys (sorted) that a record of a mix has, with the names of the mixes."""
    keys = {id: key for opened in stores.values() for id, key in _same(opened, asked)}
    wanted = pa.array(sorted(keys), pa.string())
    found: dict[bytes, set[str]] = {}
    for name, artifact in parents.items():
        if artifact.manifest.type == "mix" and keys:
            for batch in arrow.batches(artifact.path / layout.MIX, _BATCH_ROWS, ["id"]):
                for id in batch["id"].filter(pc.is_in(batch["id"], wanted)).to_pylist():
                    found.setdefault(keys[id], set()).add(name)
    return found


def _same(opened: Store, asked: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Id and key of every record outside the test split that has one of some keys."""
    content = read_content(opened)
    at = np.flatnonzero(content.keyed(asked) & (content.split != _TEST))
    for row, key in zip(_facts(opened, at, ["id"]), _keys(opened, at), strict=True):
        yield row["id"], key


def _tests(opened: Store) -> Iterator[tuple[int, str, str, bytes]]:
    """Number, id, task and key of the test records, in stable order."""
    at = np.flatnonzero(read_content(opened).split == _TEST)
    told = _facts(opened, at, ["id", "task"])
    for number, row, key in zip(at.tolist(), told, _keys(opened, at), strict=True):
        yield number, row["id"], row["task"], key


def _facts(opened: Store, at: np.ndarray, names: list[str]) -> Iterator[dict[str, str]]:
    """Facts of some records, whose numbers ascend."""
    first = 0
    for facts in opened.fact_blocks(names):
        low, high = at.searchsorted([first, first + facts.num_rows])
        yield from facts.take(pa.array(at[low:high] - first)).to_pylist()
        first += facts.num_rows


def _keys(opened: Store, at: np.ndarray) -> Iterator[bytes]:
    """Keys of some records, whose numbers ascend."""
    for keys in read_content(opened).keys.take(at):
        yield from keys.tolist()


def _shown(opened: Store, before: frozenset[str]) -> frozenset[int]:
    """Numbers of the test records with a picture that the first checkpoint was trained on."""
    return frozenset(
        number
        for number, one in enumerate(opened.asked(stable=True))
        if one.split == "test"
        and any(prefix(opened.pixel_hash(sha256)) in before for sha256 in one.images)
    )


def _evaluated(parents: Mapping[str, Artifact]) -> list[str]:
    """Sources that some evaluation asked about, sorted."""
    return sorted(
        {
            name.removeprefix("data.")
            for artifact in parents.values()
            if artifact.manifest.type == "eval"
            for name in artifact.manifest.parents
            if name.startswith("data.")
        }
    )


def _metric(count: int, overlapping: int, known: bool) -> Metric:
    """Exact: every record was looked at; without a value when what was learnt is not known.

    A record that was found in a mix is found, whatever came before the first checkpoint.
    """
    told = known or overlapping > 0
    value = float(overlapping) if told else None
    scored = count if told else 0
    return Metric(
        OVERLAP, value, value, value, count, scored, count - scored, 0, "count", 0, "records"
    )
