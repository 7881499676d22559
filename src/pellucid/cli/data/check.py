"""`pellucid data check`: what a file is, and what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.base.errors import Problem, UserError
from pellucid.cli.options import Json
from pellucid.cli.show import print_json, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.check import Report

MAX_IMAGE_PIXELS = 50_000_000
_SHOWN = 12
"""Kinds of fault that are printed."""


def check(
    file: Annotated[
        Path,
        typer.Argument(help="Rows, a folder or pattern of them, or a recipe.", metavar="FILE"),
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

    Of a recipe, every source of rows is checked as its import would, functions of yours included;
    operators, tasks, scorers, rewards and image strategies of yours are called with the first
    records.
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
    """Check the sources and own code of a recipe; exit code 1 when an import would refuse rows.

    Raises:
        UserError: a source cannot be read at all, or a function fails; the others are told first.
    """
    from dataclasses import asdict, replace

    from pellucid.data.check import Report, check_source
    from pellucid.flow.check import check_code
    from pellucid.recipe import load
    from pellucid.recipe.rows import RowsSource

    recipe = load(str(file))
    sources = recipe.data.sources
    own = {name: one for name, one in sources.items() if isinstance(one, RowsSource)}
    reports: dict[str, Report] = {}
    unread: list[Problem] = []
    for name, one in own.items():
        try:
            reports[name] = check_source(one)
        except UserError as error:
            at = f"data.sources.{name}: "
            unread += [replace(problem, field=at + problem.field) for problem in error.problems]
    code, broken = check_code(recipe)
    if json_:
        told = {name: {**asdict(one), "path": str(one.path)} for name, one in reports.items()}
        print_json({**told, **{called.field: called._asdict() for called in code}})
    else:
        for name, report in reports.items():
            print(f"data.sources.{name}")
            _print_found(report)
        for called in code:
            print(f"{called.field}\n{called.path}: nothing wrong")
            print_wrapped("called:".ljust(9), called.called)
            if called.note:
                print_wrapped("note:", called.note)
        if not own and not code and not broken:
            print(f"{file} names no source of rows and no code: there is nothing to check")
    if unread or broken:
        raise UserError([*unread, *broken])
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
    for name, counts in report.counts.items() if report.sound else ():
        most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
        shown = ", ".join(f"{value} {count}" for value, count in most)
        print_wrapped(f"{name}:".ljust(9), shown + (", ..." if len(counts) > 8 else ""))
    for finding in report.findings[:_SHOWN]:
        rows = ", ".join(map(str, finding.rows)) + (", ..." if finding.count > 3 else "")
        said = f"{finding.value} {finding.rule}; {finding.fix} (rows {rows}, counted from 0)"
        print_wrapped(f"{finding.count} x", said)
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} other kinds of fault; --json has them all")
    if report.findings and report.importer == "llava_json" and report.path.is_file():
        print_wrapped("what can be mended:", f"pellucid data repair {report.path}")
    for note in report.notes:
        print_wrapped("note:", note)


def _print_recipe(report: "Report", images: Path | None) -> None:
    """The lines of a recipe that read the file."""
    print("\nIn a recipe:\n")
    print("data:\n  sources:\n    own:  # the name that the mixes of recipe finetune take")
    print(f"      kind: {report.importer}\n      path: {report.path.resolve()}")
    if images:
        print(f"      image_folder: {images.resolve()}")
    said = [one for one in report.counts.get("licence", {}) if one != "-"]
    rest = "of rows that name none" if said else "an SPDX id; nothing goes without one"
    print(f"      dataset: own\n      licence: {said[0] if said else 'SAY-WHICH'}  # {rest}")
    print("      split: {validation: 0.1, test: 0.2}  # of rows that name none")
    if report.findings:
        print("      on_fault: drop  # leave the faulty rows out, with a line in the ledger")
