"""How verbs print: JSON, and tables that fit a terminal of 80 columns."""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import is_other


def print_json(value: Any) -> None:
    """A JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")


def check_page(path: Path) -> None:
    """Refuse to write a page over a file that is none; a page is made anew.

    Raises:
        UserError: it holds something else.
    """
    with boundary("reading"):
        if is_other(path, b"<!doctype html"):
            rule, fix = "exists and is no page", "name another file"
            raise UserError(Problem("--page", str(path), rule, fix))


def print_wrapped(head: str, text: str) -> None:
    """A line that wraps at the terminal's width, its rest indented; nothing is cut."""
    width = max(40, shutil.get_terminal_size().columns)
    print(textwrap.fill(f"{head} {text}", width, subsequent_indent="    ", break_long_words=False))


def print_fields(fields: Mapping[str, object]) -> None:
    """One field a line, whole, so that paths and hashes can be copied; mappings are indented."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            print(f"{name}:")
            for key, inner in value.items():
                print(f"  {key}: {inner['content_hash'] if isinstance(inner, Mapping) else inner}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            print(f"{name}: {shown}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; long cells wrap."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(soft_wrap=False, highlight=False, markup=False).print(table)
