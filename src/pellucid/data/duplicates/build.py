"""Duplicates over stores, as label columns: signatures shard by shard, then one pass over them.

    labels/duplicates@2/<shard>.parquet    id, image_cluster, text_cluster, vqa_cluster

A cluster's name is made of its least member's hash, so it depends on the rows alone: not on their
order, shards or stores. Nothing is removed; a mix chooses.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid import store
from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_bytes, hash_file, hash_json
from pellucid.data.duplicates.asked import Asked, Kept, one_content
from pellucid.data.duplicates.cosine import Cosine
from pellucid.data.duplicates.images import Clusters, cluster_images, rules
from pellucid.data.duplicates.texts import (
    TEXT_RULE,
    Shard,
    TextRule,
    cluster_texts,
    column,
    signature_shards,
)
from pellucid.data.ops.image_signature import ImageSignature
from pellucid.data.ops.run import run_operator
from pellucid.data.ops.text_signature import TextSignature
from pellucid.data.questions import same
from pellucid.data.questions.decide import by_words
from pellucid.data.questions.embedding import Embedding
from pellucid.data.runners.local import kept
from pellucid.store import arrow, labels, layout
from pellucid.store.spill import Sorter

OP, VERSION = "duplicates", 2
GIVES = pa.schema([(name, pa.string()) for name in (
    "id", "image_cluster", "text_cluster", "vqa_cluster"
)])  # fmt: skip
"""`image_cluster` is null without images, and of several images the hash of their clusters in
order. `text_cluster` is null where the text says too little by itself. `vqa_cluster` is for every
record: pictures, question and gold; of a text alone its `text_cluster`."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What was found, in numbers."""

    records: int
    images: int
    image_clusters: int
    text_clusters: int
    vqa_clusters: int
    repeated_records: int
    """Records beyond the first of their `vqa_cluster`."""
    looked_at: int
    """Candidate pairs that were compared, pictures and texts."""


def find_duplicates(
    folders: Sequence[Path],
    runner: str = "local",
    workers: int = 1,
    rule: TextRule = TEXT_RULE,
    embedding: Embedding | None = None,
    crops: bool = True,
    cosine: Cosine | None = None,
) -> Duplicates:
    """Write `labels/duplicates@2` into every store; equal inputs give equal bytes.

    The labels' key and `params` say whether crops were looked for, and by which vectors: a call
    with another choice makes them anew.

    Args:
        folders: finished stores; clusters reach over all of them.
        runner: a name in `data.runners.RUNNERS`.
        workers: shards or pairs at a time.
        rule: what makes two texts one.
        embedding: a function of the user's that also decides pairs of questions.
        crops: look for crops as well, which takes most of the time; without it pictures are one
            when they show the whole of one another.
        cosine: a function of the user's whose vectors also propose pairs of pictures.

    Raises:
        UserError: a folder is no store, or is named twice, or the user's function fails.
    """
    with kept():
        return _found(known_once(folders), runner, workers, rule, embedding, crops, cosine)


def _found(
    folders: Sequence[Path],
    runner: str,
    workers: int,
    rule: TextRule,
    embedding: Embedding | None,
    crops: bool,
    cosine: Cosine | None,
) -> Duplicates:
    texts = TextSignature()
    read: list[Any] = [run_operator(folder, texts, runner, workers)["files"] for folder in folders]
    for folder in folders:
        if crops:
            read.append(run_operator(folder, ImageSignature(), runner, workers)["files"])
        else:
            with boundary("reading the store"):
                read.append(hash_file(folder / layout.INDEX))
        if cosine:
            read.append(run_operator(folder, cosine.embedding, runner, workers)["files"])
    shards = signature_shards(folders, texts)
    params = {
        "text": _plain(rule),
        **rules(crops, cosine),
        "question": {"alone": same.ALONE, "share": same.SHARE, "version": same.VERSION},
        **({"embedding": embedding.params} if embedding else {}),
    }
    known = hash_json([sorted(map(hash_json, read)), params, VERSION])
    before = _finished(folders, shards, known)
    if before:
        return before
    text_clusters = cluster_texts(shards, texts, rule)
    image_clusters = cluster_images(folders, runner, workers, crops, cosine)
    asked = Kept(_questions(shard, texts, image_clusters) for shard in shards)
    others = one_content(shards, asked, embedding.decide if embedding else by_words)
    del asked
    seen = {name: Sorter(1) for name in GIVES.names[1:]}
    for shard in shards:
        names = text_clusters.names(shard, texts)
        made = _labels(shard, texts, image_clusters, names, others)
        for name, sorter in seen.items():
            sorter.add(_short(made[name]))
        store.write_part(
            shard.folder, OP, VERSION, shard.name, hash_json([known, shard.name]), made
        )
    records = sum(shard.rows for shard in shards)
    different = {name: _different(sorter) for name, sorter in seen.items()}
    found = Duplicates(
        records=records,
        images=len(image_clusters.sha256),
        image_clusters=len(np.unique(image_clusters.name)),
        text_clusters=different["text_cluster"],
        vqa_clusters=different["vqa_cluster"],
        repeated_records=records - different["vqa_cluster"],
        looked_at=image_clusters.looked_at + text_clusters.looked_at,
    )
    facts = {"params": params, "key": known, "found": asdict(found)}
    for folder in folders:
        store.write_manifest(folder, OP, VERSION, facts)
    return found


def _finished(folders: Sequence[Path], shards: Sequence[Shard], key: str) -> Duplicates | None:
    """What an earlier call found, where every label of it is there, made of the same."""
    found = None
    for folder in folders:
        path = layout.labels(folder, OP, VERSION) / labels.MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            files = {name: hash_file(path.parent / name) for name in manifest["files"]}
            found = Duplicates(**manifest["found"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        own = {f"{shard.name}.parquet" for shard in shards if shard.folder == folder}
        if manifest["key"] != key or files != manifest["files"] or set(files) != own:
            return None
    return found


def known_once(folders: Sequence[Path]) -> list[Path]:
    """The folders, sorted, if they are stores and none is named twice.

    Raises:
        UserError: otherwise.
    """
    store.check(*folders)
    whole = sorted(folder.resolve() for folder in folders)
    twice = [str(one) for one, other in zip(whole, whole[1:], strict=False) if one == other]
    if twice:
        raise UserError(Problem("STORE", twice[0], "is named twice", "name each store once"))
    return whole


def _labels(
    shard: Shard,
    operator: TextSignature,
    images: Clusters,
    text: np.ndarray,
    others: dict[tuple[int, int], int],
) -> pa.Table:
    """The columns of one shard, sorted by id."""
    ids, shown = _shown(shard, images)
    content, gold = column(shard, operator, ["content", "gold"])
    asked = list[str]()
    spelt = [f"{a:016x}{b:016x}" if a or b else None for a, b in text.tolist()]
    for row, own in enumerate(shown):
        alone = spelt[row] if own is None else None
        what, answer = int(content[row]), int(gold[row])
        if own is not None:
            what = others.get((_group(own, answer), what), what)
        asked.append(alone or _asked(own, what, answer))
    return pa.table([ids, pa.array(shown, pa.string()), spelt, asked], schema=GIVES)


def _questions(shard: Shard, operator: TextSignature, images: Clusters) -> Asked:
    """What the records of one shard ask, sorted by id."""
    _, shown = _shown(shard, images)
    content, gold = column(shard, operator, ["content", "gold"])
    groups = [0 if one is None else _group(one, int(gold[row])) for row, one in enumerate(shown)]
    return Asked(np.array(groups, np.uint64), content)


def _shown(shard: Shard, images: Clusters) -> tuple[pa.ChunkedArray, list[str | None]]:
    """Ids in order, and the cluster of each record's pictures."""
    columns = ["id", "images.list.element.sha256"]
    table = arrow.read_table(shard.folder / layout.records(shard.name), columns)
    table = table.sort_by([("id", "ascending")]).combine_chunks()
    lists = table["images"].combine_chunks()
    lengths = np.asarray(pc.list_value_length(lists))
    names = images.names_of(lists.flatten().field("sha256")) if lengths.sum() else None
    at, shown = 0, list[str | None]()
    for length in lengths.tolist():
        shown.append(None if names is None else _picture(names[at : at + length]))
        at += length
    return table["id"], shown


def _group(picture: str, gold: int) -> int:
    """The name of all records of these pictures and this gold; never 0."""
    return int(hash_bytes(f"{picture} {gold:016x}".encode())[:16], 16) | 1


def _picture(names: np.ndarray) -> str | None:
    """The cluster of a record's pictures."""
    if not len(names):
        return None
    own = [name.ljust(16, b"\0").hex() for name in names.tolist()]
    return own[0] if len(own) == 1 else hash_bytes("".join(own).encode())[:32]


def _asked(picture: str | None, content: int, gold: int) -> str:
    """The name of all records of these pictures, this question and this gold."""
    return hash_bytes(f"{picture or ''} {content:016x} {gold:016x}".encode())[:32]


def _short(names: pa.ChunkedArray) -> np.ndarray:
    """(names, 1): the first 64 bits of each that is there."""
    told = [int(name[:16], 16) for name in names.to_pylist() if name is not None]
    return np.array(told, np.uint64).reshape(-1, 1)


def _different(sorter: Sorter) -> int:
    count, last = 0, None
    for rows in sorter.sorted().blocks():
        held = np.unique(rows)
        count += len(held) - int(held[0] == last)
        last = held[-1]
    return count


def _plain(rule: object) -> dict[str, float]:
    return {name: getattr(rule, name) for name in rule.__dataclass_fields__}  # type: ignore[attr-defined]
