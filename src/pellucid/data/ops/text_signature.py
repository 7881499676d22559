"""Signatures of a record's words: what decides whether two texts, or two questions, are one.

Per record: a hash of all its words, of its question, of the question's content words, of its gold;
a hash of its numbers; and the MinHash bands of its runs of words. Leaves out on purpose: deciding
(`data/duplicates/`).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pellucid.data.duplicates import stopwords, words
from pellucid.data.duplicates.minhash import band_keys
from pellucid.data.duplicates.mixing import mixed
from pellucid.data.ops.base import Images, Over, Resources
from pellucid.data.texts import Spoken, spoken


@dataclass(frozen=True, slots=True)
class TextSignature:
    """The operator; as `base.Operator`."""

    run_words: int = 5
    """Words of a run."""
    bands: int = 20
    """MinHash bands; 20 of 6 make 99.8 % of pairs of similarity 0.8 candidates, 1.4 % at 0.3."""
    rows: int = 6
    """Minima of a band."""
    seed: int = 0
    """Of the hash functions."""
    name: str = field(default="text_signature", init=False)
    version: int = field(default=1, init=False)
    over: Over = field(default="records", init=False)
    needs: tuple[str, ...] = field(
        default=(
            "id", "messages.list.element.role", "messages.list.element.content", "answer.gold",
            "messages.list.element.reasoning", "images.list.element.width",
        ),
        init=False,
    )  # fmt: skip
    needs_images: bool = field(default=False, init=False)
    resources: Resources = field(default=Resources(), init=False)

    @property
    def gives(self) -> pa.Schema:
        """Hashes as unsigned 64-bit numbers; 0 where there are no words."""
        named = ["text", "text2", "question", "content", "gold", "numbers"]
        return pa.schema(
            [
                ("id", pa.string()),
                ("words", pa.int32()),
                ("images", pa.int32()),
                *((name, pa.uint64()) for name in named),
                *((f"band{band:02d}", pa.uint64()) for band in range(self.bands)),
            ]
        )

    @property
    def params(self) -> dict[str, Any]:
        """What else decides the signatures."""
        return {
            "run_words": self.run_words,
            "bands": self.bands,
            "rows": self.rows,
            "seed": self.seed,
        }

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """Signatures of a shard's records."""
        said = spoken(table)
        parts = [self._texts(batch) for batch in words.batches(said.all)]
        columns = _joined(parts, len(table)) if parts else _joined([], 0)
        columns |= _questions(said)
        columns["id"] = said.ids
        columns["images"] = pc.list_value_length(table["images"]).combine_chunks()
        empty = pa.array(np.zeros(len(table), np.uint64))
        made = {name: columns.get(name, empty) for name in self.gives.names}
        return pa.table(made).cast(self.gives)

    def _texts(self, texts: pa.Array) -> dict[str, np.ndarray]:
        found = words.words(texts)
        runs, starts = words.runs(found, self.run_words)
        keys = band_keys(runs, starts, self.bands, self.rows, self.seed)
        return {
            "words": found.counts.astype(np.int32),
            "text": words.ordered(found.hashes, found.starts),
            "text2": words.ordered(mixed(found.hashes), found.starts),
            "numbers": words.bag(*words.kept(found.hashes, found.starts, found.numeric)),
            **{f"band{band:02d}": keys[band] for band in range(self.bands)},
        }


def _joined(parts: list[dict[str, np.ndarray]], rows: int) -> dict[str, Any]:
    if not parts:
        return {"words": np.zeros(rows, np.int32)}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _questions(said: Spoken) -> dict[str, np.ndarray]:
    """Hashes of the question, its content and the gold."""
    asked = words.words(said.question)
    gold = words.words(said.gold)
    return {
        "question": words.ordered(asked.hashes, asked.starts),
        "content": stopwords.content_hash(asked),
        "gold": _exact(said.gold, gold),
    }


def _exact(texts: pa.Array, found: words.Words) -> np.ndarray:
    """Words in order; where signs are all there is, or part of a number, the signs as well."""
    signs = pc.replace_substring_regex(pc.fill_null(texts, ""), r"[\w\s]", "")
    codes = pc.dictionary_encode(signs)
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    plain = [int.from_bytes(one.encode()[:8], "little") for one in codes.dictionary.to_pylist()]
    table = mixed(np.array([value or 1 for value in plain] or [1], np.uint64))
    exact: np.ndarray = words.ordered(found.hashes, found.starts) ^ table[np.asarray(codes.indices)]
    return exact
