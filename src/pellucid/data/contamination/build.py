"""Contamination of stores by evaluation sets, as label columns.

    labels/contamination@2/<shard>.parquet    id, verdict, eval_dataset, eval_id, evidence

A row for every record; `verdict` is null for a clean one. Of an evaluation store the test records
count, all where it has none. Nothing is removed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pellucid import store
from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import canonical_json, hash_json
from pellucid.base.progress import Progress
from pellucid.data.contamination import match
from pellucid.data.contamination.index import TEMPLATE, EvalIndex, Row, read_rows, rows
from pellucid.data.contamination.questions import Frequencies, frequencies
from pellucid.data.duplicates import align
from pellucid.data.duplicates.build import known_once
from pellucid.data.duplicates.cosine import Cosine
from pellucid.data.duplicates.images import Clusters, cluster_images
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.data.ops.run import run_operator, shard_key, shards_of
from pellucid.data.ops.text_signature import TextSignature
from pellucid.data.questions import same
from pellucid.data.questions.decide import by_words
from pellucid.data.questions.embedding import Embedding
from pellucid.data.questions.template import OPTIONS
from pellucid.data.runners.local import kept

OP, VERSION = "contamination", 2
GIVES = pa.schema([(name, pa.string()) for name in (
    "id", "verdict", "eval_dataset", "eval_id", "evidence"
)])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contamination:
    """What was found, in numbers."""

    records: int
    """Training records; those of the evaluation sets themselves are not counted."""
    eval_records: int
    verdicts: dict[str, int]
    """Records by verdict."""
    by_dataset: dict[str, int]
    """Training records with any verdict, by their dataset."""
    eval_found: int
    """Evaluation records that at least one training record repeats."""


def find_contamination(
    folders: Sequence[Path],
    against: Sequence[Path],
    runner: str = "local",
    workers: int = 1,
    embedding: Embedding | None = None,
    cosine: Cosine | None = None,
) -> Contamination:
    """Write `labels/contamination@2` into every training store; equal inputs give equal bytes.

    Args:
        folders: stores to look through.
        against: stores of evaluation sets; one may also be in `folders`: its test records are then
            compared with its others.
        runner: a name in `data.runners.RUNNERS`.
        workers: shards or pairs of pictures at a time.
        embedding: a function of the user's that also finds and decides pairs of questions.
        cosine: a function of the user's whose vectors also propose pairs of pictures.

    Raises:
        UserError: a folder is no store, or is named twice, or the user's function fails.
    """
    folders, against = known_once(folders), known_once(against)
    every = sorted({*folders, *against})
    with kept():
        for folder in every:
            run_operator(folder, ImageSignature(), runner, workers)
            if cosine:
                run_operator(folder, cosine.embedding, runner, workers)
        clusters = cluster_images(every, runner, workers, cosine=cosine)
    held = [row for folder in against for row in _test_rows(folder, clusters)]
    if not held:
        raise UserError(Problem("--against", str(against[0]), "holds no record", "name another"))
    index, words, total = _both_sides(folders, held, clusters, embedding)
    eval_ids = {row.id for row in held}
    decide = embedding.decide if embedding else by_words
    params = _params() | ({"embedding": embedding.params} if embedding else {})
    params |= {"image_embedding": cosine.params} if cosine else {}
    known = _known(folders, against, params)
    counts, sets, found = Counter[str](), Counter[str](), set[str]()
    progress, done, own = Progress("contamination", total), 0, 0
    for folder in folders:
        for shard in shards_of(folder):
            made = []
            held_rows = list(rows(folder, shard, clusters))
            if embedding:
                embedding.learn([row.asked.text for row in held_rows])
            for row in held_rows:
                hit = None if row.id in eval_ids else match.best_match(row, index, words, decide)
                own += row.id in eval_ids
                made.append(_label(row, hit))
                if hit:
                    counts[hit.verdict] += 1
                    sets[row.dataset] += 1
                    found.add(hit.with_.id)
            done += len(made)
            progress.at(done, "records")
            table = pa.Table.from_pylist(made, schema=GIVES)
            store.write_part(folder, OP, VERSION, shard, hash_json([known, shard]), table)
        store.write_manifest(folder, OP, VERSION, {"params": params, "key": known})
    verdicts = {verdict: counts[verdict] for verdict in match.VERDICTS}
    return Contamination(total - own, len(held), verdicts, dict(sorted(sets.items())), len(found))


def _test_rows(folder: Path, clusters: Clusters) -> list[Row]:
    held = list(read_rows(folder, clusters))
    return [row for row in held if row.split == "test"] or held


def _both_sides(
    folders: Sequence[Path],
    held: Sequence[Row],
    clusters: Clusters,
    embedding: Embedding | None,
) -> tuple[EvalIndex, Frequencies, int]:
    """The index and the counts, which know the training records' words and golds as well."""
    index, total = EvalIndex(held, embedding), 0
    counts = frequencies(row.asked for row in held)
    for folder in folders:
        for row in read_rows(folder, clusters):
            total += 1
            index.see(row)
            counts.update(set(row.asked.words))
    return index, Frequencies(counts), total


def _label(row: Row, hit: match.Match | None) -> dict[str, str | None]:
    if hit is None:
        return {"id": row.id}
    evidence = canonical_json(hit.evidence).decode()
    other = hit.with_
    return dict(
        zip(GIVES.names, (row.id, hit.verdict, other.dataset, other.id, evidence), strict=True)
    )


def _params() -> dict[str, Any]:
    return {
        "alone": same.ALONE,
        "share": same.SHARE,
        "wordings": same.VERSION,
        "options": OPTIONS,
        "template": TEMPLATE,
        "contained": match.CONTAINED,
        "worst": align.RULE.worst,
        "align": align.VERSION,
    }


def _known(folders: Sequence[Path], against: Sequence[Path], params: dict[str, Any]) -> str:
    """The hash of all that decides the labels."""
    operators = TextSignature(), ImageSignature()
    read = [
        sorted(
            shard_key(folder, shard, operator)
            for folder in some
            for shard in shards_of(folder)
            for operator in operators
        )
        for some in (folders, against)
    ]
    return hash_json([read, params, VERSION])
