"""The ledger as a Parquet file, for those who want to count with other tools."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pellucid.base.errors import boundary
from pellucid.base.paths import atomic
from pellucid.endpoint.ledger import Ledger

SCHEMA = pa.schema(
    [
        ("id", pa.int64()), ("key", pa.string()), ("job", pa.string()), ("model", pa.string()),
        ("revision", pa.string()), ("params", pa.string()), ("prompt_hash", pa.string()),
        ("images", pa.list_(pa.string())), ("rollout", pa.int32()), ("seed", pa.int64()),
        ("endpoint", pa.string()), ("status", pa.string()), ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()), ("completion_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()), ("charged_tokens", pa.int64()),
        ("charged_money", pa.float64()), ("latency_s", pa.float64()), ("text", pa.string()),
        ("thinking", pa.string()), ("response", pa.string()), ("error", pa.string()),
        ("ts", pa.string()),
    ]
)  # fmt: skip


def export(ledger: Ledger, path: Path) -> int:
    """Write every row of a ledger, a part at a time.

    Returns:
        How many there are.

    Raises:
        DiskError: the file cannot be written.
    """
    count = 0
    with boundary("writing the calls"), atomic(path) as temporary:
        with pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
            for rows in ledger.rows():
                told = [{**row, "images": json.loads(row["images"])} for row in rows]
                writer.write_table(pa.Table.from_pylist(told, SCHEMA))
                count += len(rows)
    return count
