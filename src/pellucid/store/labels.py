"""Labels: new facts about records, as column files joined by `id`. Nothing is ever edited."""

from pathlib import Path

import pyarrow as pa

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.store import arrow, layout


def write_label(folder: Path, op: str, version: int, table: pa.Table, part: str = "all") -> None:
    """Write `labels/<op>@<version>/<part>.parquet`, sorted by `id`.

    Args:
        folder: the folder that gets the labels.
        op: the operation's name.
        version: its version; a changed operation writes beside its older labels.
        table: a column `id`, no id twice, and any others.
        part: name of the file, for labels that are made shard by shard.

    Raises:
        UserError: the file exists with other content; labels are never edited.
    """
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids), f"labels {op}@{version} name a record twice"
    table = table.sort_by([("id", "ascending")])
    path = layout.labels(folder, op, version) / f"{part}.parquet"
    with boundary("writing labels"):
        if not path.exists():
            arrow.write_table(path, table)
        elif not arrow.read_table(path).equals(table):
            rule = "exists with other values, and labels are never edited"
            raise UserError(Problem("labels", str(path), rule, "raise the operation's version"))


def read_label(folder: Path, op: str, version: int) -> pa.Table:
    """All parts of one operation's labels, sorted by `id`.

    Raises:
        UserError: there are none.
    """
    files = sorted(layout.labels(folder, op, version).glob("*.parquet"))
    if not files:
        fix = "run the operation that makes it"
        raise UserError(Problem("labels", f"{op}@{version}", "is not in this store", fix))
    with boundary("reading labels"):
        table = pa.concat_tables([arrow.read_table(path) for path in files])
    return table.sort_by([("id", "ascending")])
