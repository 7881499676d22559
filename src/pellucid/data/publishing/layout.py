"""Names and columns of a published folder, and how its `publish.json` is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary

FORMAT = 1
PUBLISH = "publish.json"
WITHHELD = "withheld.parquet"
RECIPE = "recipe.yaml"
CARD = "README.md"

COLUMNS = pa.schema(
    [
        ("kind", pa.string()),
        ("shard", pa.string()),
        ("place", pa.int32()),
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("config", pa.string()),
        ("split", pa.string()),
        ("row", pa.int64()),
        ("task", pa.string()),
        ("licence", pa.string()),
        ("content_hash", pa.string()),
        ("raw_hash", pa.string()),
        ("hash", pa.string()),
        ("images", pa.list_(pa.string())),
    ]
)
"""Columns of `withheld.parquet`. `kind` is `record`, or `ledger` for an input row that became no
record and whose reason may quote it; of such a row only `row` and `hash` are told. `shard` and
`place` say where a record stood, `hash` is that of the whole row (`store.manifest`), `raw_hash`
that of the original alone, `images` are the hashes of the image files."""

RECORD, LEDGER = "record", "ledger"
WITHHELD_REASON = "withheld: licence {licence}"
"""What the published ledger says of a record that stays behind."""
UNTOLD_REASON = "left out before; the reason may quote the row, and is withheld"
"""What it says of an input row that became no record."""


def read_publish(folder: Path) -> dict[str, Any]:
    """The `publish.json` of a published folder.

    Raises:
        UserError: the folder is none.
    """
    path = folder / PUBLISH
    if not path.is_file():
        fix = f"give a folder that holds {PUBLISH}"
        raise UserError(Problem("folder", str(folder), "is no published store", fix))
    with boundary("reading the published store"):
        text = path.read_bytes()
    try:
        tree: Mapping[str, Any] = json.loads(text)
        if tree["format"] == FORMAT:
            return {**tree}
        rule = f"has layout {tree['format']}, this program reads {FORMAT}"
    except (ValueError, TypeError, KeyError):
        rule = f"has a {PUBLISH} that cannot be read"
    raise UserError(Problem("folder", str(folder), rule, "publish the store again"))
