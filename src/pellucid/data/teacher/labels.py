"""The label of a job: for each record how many answers there are, how far they agree, how many are
right. Written when all of a selection is settled; labels are never edited, so a record that has
the label of the same settings is left out, and other settings need another name.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import SHORT, hash_json
from pellucid.store import read_label, write_label

VERSION = 1
SCHEMA = pa.schema(
    [
        ("id", pa.string()), ("settings", pa.string()), ("job", pa.string()),
        ("model", pa.string()), ("k", pa.int32()), ("answered", pa.int32()),
        ("truncated", pa.int32()), ("scored", pa.int32()), ("kept", pa.int32()),
        ("agreement", pa.float64()), ("majority", pa.string()), ("correct_share", pa.float64()),
        ("diversity", pa.float64()),
    ]
)  # fmt: skip
"""`agreement`: share of the answers that say what most say. `correct_share`: right ones of those
that were scored. Null where nothing can be said."""


def default_name(job: str) -> str:
    """Name of a job's label: `teacher` for answers, `teacher-<job>` for the others."""
    return "teacher" if job == "answer" else f"teacher-{job}"


def check_label(folder: Path, name: str, settings: str) -> set[str]:
    """Records that have this label already.

    Raises:
        UserError: the label is there, with other settings.
    """
    if not any((folder / "labels" / f"{name}@{VERSION}").glob("*.parquet")):
        return set()
    table = read_label(folder, name, VERSION)
    if set(table["settings"].to_pylist()) - {settings}:
        rule = f"is in {folder} already, made with another model or other settings"
        raise UserError(Problem("--label", name, rule, "give this one a name of its own"))
    return set(table["id"].to_pylist())


def write(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], settings: str) -> int:
    """Write the label of records that have none yet.

    Returns:
        How many rows were written.
    """
    known = check_label(folder, name, settings)
    new = [row for row in rows if row["id"] not in known]
    if new:
        part = f"{settings}-{hash_json(sorted(row['id'] for row in new))[:SHORT]}"
        write_label(folder, name, VERSION, pa.Table.from_pylist(new, SCHEMA), part)
    return len(new)
