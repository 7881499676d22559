"""Whether anything that is asked was learnt from: test records against all that the model saw.

A record is known when its (pixel hashes, question, gold) stands in a mix of the run, or when one of
its pictures stands among those that the first checkpoint was trained on (`store.digest`).

Leaves out on purpose: near duplicates, and questions without pictures in what came before the first
checkpoint.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pellucid.data.splits import Key, content_keys
from pellucid.flow.stores import stores_of
from pellucid.release import OVERLAP
from pellucid.schema.artifact import Artifact
from pellucid.schema.record import Split
from pellucid.schema.report import Metric
from pellucid.store import TRAINED_ON, prefix, read_digest, read_mix

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
    stores = stores_of(parents)
    keys = {name: content_keys(opened) for name, opened in stores.items()}
    learnt = _learnt(parents, keys)
    init = parents["init"]
    built = init.manifest.slice["model"]["kind"] == "build"
    digest = init.path / TRAINED_ON
    before = read_digest(digest) if digest.is_file() else frozenset()
    count, rows = 0, []
    for name in _evaluated(parents):
        facts = stores[name].facts()
        tasks = dict(zip(facts["id"].to_pylist(), facts["task"].to_pylist(), strict=True))
        held = keys[name]["test"]
        for id in (id for id in tasks if id in held):  # in stable order
            count += 1
            seen = sorted(learnt.get(held[id], ()))
            seen += [BEFORE] if before & {prefix(pixels) for pixels in held[id].pixels} else []
            if seen:
                told = {"record": id, "record_task": tasks[id], "source": name}
                rows.append({**told, "seen_in": seen})
    return Overlaps(_metric(count, len(rows), known=built or digest.is_file()), rows)


def _learnt(
    parents: Mapping[str, Artifact], keys: Mapping[str, Mapping[Split, Mapping[str, Key]]]
) -> dict[Key, dict[str, None]]:
    """Keys of every record of every mix, with the names of the mixes."""
    mixes: dict[str, dict[str, None]] = {}
    for name, artifact in parents.items():
        if artifact.manifest.type == "mix":
            for row in read_mix(artifact.path).rows:
                mixes.setdefault(row.id, {})[name] = None
    found: dict[Key, dict[str, None]] = {}
    for by_split in keys.values():
        for split in ("train", "validation"):
            for id, key in by_split[split].items():
                if id in mixes:
                    found.setdefault(key, {}).update(mixes[id])
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
