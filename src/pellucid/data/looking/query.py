"""DuckDB over the Parquet files of stores: what `data.looking` asks its questions with.

One connection in memory, one thread, no network (extensions are neither fetched nor loaded), what
does not fit is spilled into a folder that goes with the connection. Every query that gives rows
orders them, so that equal stores give equal answers. Leaves out on purpose: writing.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import remove_tree
from pellucid.store import layout
from pellucid.store.labels import label_files
from pellucid.store.shards import record_file, shard_names

MEMORY = "1GB"
"""Most that DuckDB keeps in memory before it spills."""


_PART_BYTES = 24 * 2**20
"""Files of a part, added up; a part has one file at least."""
_NUMBERED = ", file_row_number = true"


class Asker:
    """Asks one connection, in which stores are views."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._files: dict[str, list[Path]] = {}

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """All rows of a query; the query orders them."""
        found = self._connection.execute(sql, list(values))
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def row(self, sql: str, values: Sequence[object] = ()) -> dict[str, Any]:
        """The one row of a query."""
        (found,) = self.rows(sql, values)
        return found

    def do(self, sql: str) -> None:
        """Run a statement."""
        self._connection.execute(sql)

    def add(self, name: str, folders: Sequence[Path]) -> None:
        """Views `<name>_records`, `<name>_images` and `<name>_ledger` of stores as one.

        `<name>_images` has an image of several folders once. Records have `filename` and
        `file_row_number`.
        """
        files = [record_file(folder, shard) for folder in folders for shard in shard_names(folder)]
        self._files[name] = files
        self.view(f"{name}_records", files, _NUMBERED)
        self.view(f"{name}_stored", [folder / layout.INDEX for folder in folders])
        self.view(f"{name}_ledger", [folder / layout.LEDGER for folder in folders])
        first = " QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY filename) = 1"
        once = first if len(folders) > 1 else ""
        self.do(f"CREATE VIEW {name}_images AS SELECT * FROM {name}_stored{once}")

    def each(self, name: str, sql: str, values: Sequence[object] = ()) -> Iterator[dict[str, Any]]:
        """Rows of a query over `part_records`, which is one part after the other of a store.

        What describes a file's columns is as long as the file, and a query over all files would
        keep it of all; so whoever can adds up parts. Each part has its own rows, in its own order.
        """
        for _ in self.parts(name):
            yield from self.rows(sql, values)

    def parts(self, name: str) -> Iterator[None]:
        """Let `part_records` be one part after the other of a store's records."""
        for files in _parts(self._files[name]):
            self.view("part_records", files, _NUMBERED)
            yield

    def view(self, name: str, files: Sequence[Path], more: str = "") -> None:
        """A view of Parquet files of one schema."""
        told = ", ".join(_quoted(_literal(str(path))) for path in files)
        self.do(
            f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM '
            f"read_parquet([{told}], filename = true, hive_partitioning = false{more})"
        )


@contextmanager
def ask(memory: str = MEMORY, /, **stores: Sequence[Path]) -> Iterator[Asker]:
    """A connection in which every keyword names the views of some stores (see `Asker.add`).

    Args:
        memory: most that DuckDB keeps before it spills.
        stores: folders by name.

    Raises:
        UserError: a file of a store is no Parquet file, or its columns are missing.
        DiskError: a file cannot be read.
    """
    with boundary("reading the store"), _spilling() as spill:
        connection = duckdb.connect(":memory:", config=_settings(spill, memory))
        try:
            # After two seconds it would draw a bar on standard output, in the middle of JSON.
            connection.execute("SET enable_progress_bar = false")
            asker = Asker(connection)
            for name, folders in stores.items():
                asker.add(name, folders)
            yield asker
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            told = " ".join(str(error).split())[:300]
            fix = "check the files, or make the store again"
            raise UserError(Problem("store", told, "cannot be read", fix)) from error
        finally:
            connection.close()


@contextmanager
def _spilling() -> Iterator[str]:
    """A folder for what does not fit into memory; none on a disk that takes nothing."""
    try:
        folder = tempfile.mkdtemp(prefix="pellucid-")
    except OSError:
        folder = ""
    try:
        yield folder
    finally:
        if folder:
            remove_tree(Path(folder))


def label_columns(folders: Sequence[Path]) -> dict[tuple[str, int], list[Path]]:
    """Label files of all folders by (operation, version)."""
    found: dict[tuple[str, int], list[Path]] = {}
    for folder in folders:
        for name, files in label_files(folder).items():
            found.setdefault(name, []).extend(files)
    return dict(sorted(found.items()))


def _settings(spill: str, memory: str) -> dict[str, Any]:
    return {
        "threads": 1,
        "memory_limit": memory,
        "temp_directory": spill,
        # It would keep files in memory that are read once.
        "enable_external_file_cache": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _parts(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in their order, some at a time."""
    part: list[Path] = []
    size = 0
    for path in files:
        length = path.stat().st_size
        if part and size + length > _PART_BYTES:
            yield part
            part, size = [], 0
        part.append(path)
        size += length
    if part:
        yield part


def _literal(path: str) -> str:
    """A path that `read_parquet` takes as it stands and not as a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
