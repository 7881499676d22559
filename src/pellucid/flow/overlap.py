"""Whether anything that is asked was learnt from: test records against all that the model saw.

A record is known when its (pixel hashes, question, gold) stands in a mix of the run, or when one of
its pictures stands among those that the first checkpoint was trained on (`store.digest`).

Leaves out on purpose: near duplicates, and questions without pictures in what came before the first
checkpoint.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pellucid import store
from pellucid.data.splits import Key, content_key
from pellucid.release import OVERLAP
from pellucid.schema.artifact import Artifact
from pellucid.schema.record import Record
from pellucid.schema.report import Metric
from pellucid.store import TRAINED_ON, Store, prefix, read_digest, read_mix

OVERLAPS = "overlaps.jsonl"
"""File of a release artifact with a row for each known record."""
BEFORE = "first checkpoint"


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
    stores = {
        name.removeprefix("data."): store.open(artifact.path)
        for name, artifact in parents.items()
        if artifact.manifest.type == "data"
    }
    learnt = _learnt(parents, stores)
    init = parents["init"]
    built = init.manifest.slice["model"]["kind"] == "build"
    digest = init.path / TRAINED_ON
    before = read_digest(digest) if digest.is_file() else frozenset()
    count, rows = 0, []
    for name in _evaluated(parents):
        for record in stores[name].records("test"):
            count += 1
            seen = sorted(learnt.get(content_key(stores[name], record), ()))
            seen += [BEFORE] if before & _pictures(stores[name], record) else []
            if seen:
                told = {"record": record.id, "record_task": record.task, "source": name}
                rows.append({**told, "seen_in": seen})
    return Overlaps(_metric(count, len(rows), known=built or digest.is_file()), rows)


def _learnt(
    parents: Mapping[str, Artifact], stores: Mapping[str, Store]
) -> dict[Key, dict[str, None]]:
    """Keys of every record of every mix, with the names of the mixes."""
    mixes: dict[str, dict[str, None]] = {}
    for name, artifact in parents.items():
        if artifact.manifest.type == "mix":
            for row in read_mix(artifact.path).rows:
                mixes.setdefault(row.id, {})[name] = None
    found: dict[Key, dict[str, None]] = {}
    for opened in stores.values():
        for record in (*opened.records("train"), *opened.records("validation")):
            if record.id in mixes:
                found.setdefault(content_key(opened, record), {}).update(mixes[record.id])
    return found


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


def _pictures(opened: Store, record: Record) -> set[str]:
    return {prefix(opened.pixel_hash(image.sha256)) for image in record.images}


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
