"""Records, images, labels and mixes on disk: reading and writing only.

    store.json                      counts and shards; written last
    records/<shard>.parquet         records, no image bytes
    images/pack-<shard>.tar         encoded images, each stored once
    images/index.parquet            SHA-256 -> pack, offset, length, size, pixel hashes
    ledger.parquet                  what became of every input row
    labels/<op>@<version>/*.parquet later facts, joined by id (lengths: see `lengths`)
    mix.parquet, ledger.parquet     a mix, in a folder of its own

`open(*folders)` reads stores, `Writer(folder)` makes one. `trained_on.bin` lies beside weights and
says which pictures they were made with.
"""

from pellucid.store.digest import TRAINED_ON, prefix, read_digest, write_digest
from pellucid.store.labels import (
    label_files,
    part_key,
    read_label,
    write_label,
    write_manifest,
    write_part,
)
from pellucid.store.manifest import StoreManifest, manifest
from pellucid.store.mixes import LedgerRow, Mix, MixRow, read_ledger_of, read_mix, write_mix
from pellucid.store.reader import Store, check, open
from pellucid.store.writer import Dropped, Writer

__all__ = [
    "Dropped",
    "TRAINED_ON",
    "LedgerRow",
    "Mix",
    "MixRow",
    "Store",
    "StoreManifest",
    "Writer",
    "check",
    "label_files",
    "manifest",
    "open",
    "part_key",
    "prefix",
    "read_digest",
    "read_label",
    "read_ledger_of",
    "read_mix",
    "write_digest",
    "write_label",
    "write_manifest",
    "write_mix",
    "write_part",
]
