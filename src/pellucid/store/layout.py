"""Names of the files in a store folder, a mix folder and a label folder."""

from pathlib import Path

FORMAT = 1
"""Version of the layout, kept in `store.json`."""

STORE = "store.json"
"""Written last: a folder that has it is a finished store."""
LEDGER = "ledger.parquet"
INDEX = "images/index.parquet"
LABELS = "labels"
PARTS = "parts"
"""Finished shards wait here until `Writer.finish`; gone from a finished store."""

MIX = "mix.parquet"


def records(shard: str) -> str:
    """A shard's records."""
    return f"records/{shard}.parquet"


def pack(shard: str) -> str:
    """A shard's image pack, relative to `images/`."""
    return f"pack-{shard}.tar"


def labels(folder: Path, op: str, version: int) -> Path:
    """Folder of one operation's labels."""
    return folder / LABELS / f"{op}@{version}"
