"""`pellucid data repair`: mend the rows of a file, and flag what is doubtful."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.options import Json
from pellucid.cli.show import print_json, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.repair.file import Count, Summary

_RED, _GREEN, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"


def repair(
    file: Annotated[
        Path, typer.Argument(help="A JSON list or JSON lines of LLaVA rows.", metavar="FILE")
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write the repaired rows here; else only look.", metavar="OUT"),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Where image paths start, for sizes.", metavar="DIR"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Apply only this operator; may be repeated.", metavar="OP"),
    ] = None,
    diff: Annotated[
        int, typer.Option("--diff", min=0, help="Examples to show of each operator.", metavar="N")
    ] = 1,
    json_: Json = False,
) -> None:
    """Mend what is surely a fault in rows, and flag what only may be one.

    Prints what each operator changed and flagged. With --to, OUT has the repaired rows in FILE's
    format, and OUT.repairs.jsonl every change and every flag by the number of its row, from 0.

    Example: pellucid data repair rows.jsonl --to mended.jsonl
    """
    from pellucid.data.repair.file import repair_file, totals

    found = repair_file(file, to, images, tuple(only or ()), 0 if json_ else diff)
    if json_:
        print_json({"file": str(file), **totals(found)})
    else:
        _print(file, found)


def _print(file: Path, found: "Summary") -> None:
    import sys

    from pellucid.data.repair import REPAIRS

    colour = sys.stdout.isatty()
    print(f"{file}: {found.rows} rows, {found.same} as they should be")
    print(f"changed {found.changed}, flagged {found.flagged}")
    for name, count in found.operators.items():
        told = REPAIRS[name].about if name in REPAIRS else "one question, two answers"
        print()
        print_wrapped(f"{name}: {count.changed} changed, {count.flagged} flagged;", told)
        _print_examples(count, colour)
    if found.to:
        print()
        print_wrapped("rows: ", str(found.to))
        print_wrapped("log:  ", str(found.log))
    elif found.changed:
        print("\nnothing was written; --to OUT writes the repaired rows")


def _print_examples(count: "Count", colour: bool) -> None:
    width = min(max(shutil.get_terminal_size().columns, 40), 120)
    for number, change in count.changes:
        print(_cut(f"  row {number} {change.where}", width))
        for mark, text, shade in zip(
            "-+", _beside(change.before, change.after, width - 5), (_RED, _GREEN), strict=True
        ):
            line = f"  {mark} {text}"
            print(f"{shade}{line}{_PLAIN}" if colour else line)
    for number, flag in count.flags:
        print_wrapped(f"  row {number} {flag.where}:", _shown(flag.reason))


def _beside(before: object, after: object, width: int) -> tuple[str, str]:
    """Two values around the first place where they differ, each on one line."""
    same_type = isinstance(before, str) and isinstance(after, str)
    one, two = (_shown(value if same_type else [value]) for value in (before, after))
    one, two = (one, two) if same_type else (one[1:-1], two[1:-1])
    same = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
    start = min(len(one), len(two)) if same is None else same
    start = max(start - width // 3, 0)
    lead = "…" if start else ""
    return _cut(lead + one[start:], width), _cut(lead + two[start:], width)


def _shown(value: object) -> str:
    """A value on one line; what a terminal would obey or hide is spelt out."""
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "replace").decode()
        for one in text
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
