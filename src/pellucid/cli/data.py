"""`pellucid data`: check a file before it is used, look at records as training sees them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.base.errors import Problem, UserError
from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_json, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.check import Report

MAX_IMAGE_PIXELS = 50_000_000
_SHOWN = 12
"""Kinds of fault that are printed."""

app = typer.Typer(help="Check data, and look at the records of a run.", no_args_is_help=True)


@app.command("check")
def check(
    file: Annotated[
        Path, typer.Argument(help="JSON, JSON lines, or a recipe (.yaml).", metavar="FILE")
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Where image paths start; FILE's folder.", metavar="DIR"),
    ] = None,
    max_image_pixels: Annotated[
        int | None,
        typer.Option("--max-image-pixels", min=1, help="Larger pictures are faults; 50 million."),
    ] = None,
    json_: Json = False,
) -> None:
    """Say what a file is, what is wrong with it, and which importer reads it.

    Of a recipe, every source of rows is checked as its import would, functions of yours included.
    A row that can be read: {"image": "a.png", "conversations": [{"from": "human", "value":
    "<image> How many?"}, {"from": "gpt", "value": "Two"}]}. Exit code 1 when something is wrong.

    Example: pellucid data check rows.json --images pictures
    """
    from dataclasses import asdict

    from pellucid.data.check import check as check_file

    if file.suffix in (".yaml", ".yml"):
        given = {"--images": images, "--max-image-pixels": max_image_pixels}
        for option, value in given.items():
            if value is not None:
                rule, fix = "is not for a recipe, whose sources say it", "leave the option out"
                raise UserError(Problem(option, str(value), rule, fix))
        _check_recipe(file, json_)
        return
    report = check_file(file, images, max_image_pixels or MAX_IMAGE_PIXELS)
    if json_:
        print_json({**asdict(report), "path": str(report.path)})
    else:
        _print_report(report, images)
    if report.findings or not report.importer:
        raise typer.Exit(1)


def _check_recipe(file: Path, json_: bool) -> None:
    """Check the sources of a recipe; exit code 1 when an import would refuse rows.

    Raises:
        UserError: a source cannot be read at all; the others are told first.
    """
    from dataclasses import asdict, replace

    from pellucid.data.check import Report, check_source
    from pellucid.recipe import load
    from pellucid.recipe.data import LlavaJsonSource, PythonSource

    sources = load(str(file)).data.sources
    own = {
        name: one
        for name, one in sources.items()
        if isinstance(one, LlavaJsonSource | PythonSource)
    }
    reports: dict[str, Report] = {}
    unread: list[Problem] = []
    for name, one in own.items():
        try:
            reports[name] = check_source(one)
        except UserError as error:
            at = f"data.sources.{name}: "
            unread += [replace(problem, field=at + problem.field) for problem in error.problems]
    if json_:
        told = {name: {**asdict(one), "path": str(one.path)} for name, one in reports.items()}
        print_json(told)
    else:
        for name, report in reports.items():
            print(f"data.sources.{name}")
            _print_found(report)
        if not own:
            print(f"{file} draws all its data; it has no rows to check")
    if unread:
        raise UserError(unread)
    if any(one.findings and own[name].on_fault == "refuse" for name, one in reports.items()):
        raise typer.Exit(1)


def _print_report(report: "Report", images: Path | None) -> None:
    _print_found(report)
    if report.sound:
        _print_recipe(report, images)


def _print_found(report: "Report") -> None:
    print(f"{report.path}: {report.format}")
    if not report.importer:
        print_wrapped("no importer reads this;", report.hint)
        return
    print(f"rows:     {report.rows}, {report.sound} of them sound, {report.images} images")
    for name, counts in report.counts.items():
        most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
        shown = ", ".join(f"{value} {count}" for value, count in most)
        print_wrapped(f"{name}:".ljust(9), shown + (", ..." if len(counts) > 8 else ""))
    for finding in report.findings[:_SHOWN]:
        rows = ", ".join(map(str, finding.rows)) + (", ..." if finding.count > 3 else "")
        said = f"{finding.value} {finding.rule}; {finding.fix} (rows {rows}, counted from 0)"
        print_wrapped(f"{finding.count} x", said)
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} other kinds of fault; --json has them all")
    for note in report.notes:
        print_wrapped("note:", note)


def _print_recipe(report: "Report", images: Path | None) -> None:
    """The lines of a recipe that read the file."""
    print("\nIn a recipe:\n")
    print("data:\n  sources:\n    own:  # the name that the mixes of recipe finetune take")
    print(f"      kind: {report.importer}\n      path: {report.path.resolve()}")
    if images:
        print(f"      image_folder: {images.resolve()}")
    print("      dataset: own\n      licence: SAY-WHICH  # an SPDX id; nothing goes without one")
    print("      split: {validation: 0.1, test: 0.2}  # of rows that name none")
    if report.findings:
        print("      on_fault: drop  # leave the faulty rows out, with a line in the ledger")


@app.command("show")
def show(
    run: RunName,
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    task: Annotated[str, typer.Option("--task", help="Only this task.")] = "",
    record: Annotated[str, typer.Option("--id", help="Only this record (or a prefix).")] = "",
    split: Annotated[str, typer.Option("--split", help="Only this split.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many records.")] = 3,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Print records with what is supervised in colour («» where there is none).

    Example: pellucid data show smoke --source charts -n 2
    """
    import sys

    from pellucid.flow.look import Filter, look

    colour = sys.stdout.isatty() and not json_
    shown = look(home, run, Filter(source, task, record, split, count), colour)
    if json_:
        print_json([item.as_dict() for item in shown])
    else:
        print("\n\n".join(item.text for item in shown))
