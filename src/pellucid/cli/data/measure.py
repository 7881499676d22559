"""`pellucid data measure`: facts about records, for a mix to filter by."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pellucid.cli.data.dedup import RunnerName, Stores, Workers
from pellucid.cli.options import DEFAULT_HOME, Home, Json
from pellucid.cli.show import print_fields, print_json, print_table, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.ops import Operator


def measure(
    stores: Stores,
    of: Annotated[
        Literal["all", "question", "reply"],
        typer.Option("--of", help="Whose words: everyone's, the user's, or the model's."),
    ] = "all",
    op: Annotated[
        str | None,
        typer.Option(
            "--op",
            help="Function of your own, in place of statistics of texts.",
            metavar="FILE.py:FUNCTION",
        ),
    ] = None,
    gives: Annotated[
        list[str] | None,
        typer.Option(
            "--gives",
            help="Column of --op: number, text or flag. value=number when absent.",
            metavar="NAME=KIND",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Keyword argument of --op.", metavar="NAME=VALUE"),
    ] = None,
    workers: Workers = 1,
    runner: RunnerName = "local",
    json_: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Measure the records of all STOREs and write what is found as labels.

    Lengths, shares of letters and signs, lines and runs of words that are said again; or what a
    function of your own says of a record and its pictures. Nothing is filtered: a mix asks for
    bounds (`where`). A killed call goes on where it was.

    Example: pellucid data measure smoke:charts --of reply
    """
    from dataclasses import asdict

    from pellucid.data.ops.text_stats import TextStats
    from pellucid.data.statistics.build import measure_store
    from pellucid.flow.named import folders_of

    operator = TextStats(of) if op is None else _own(op, gives or [], option or [])
    folders = folders_of(home, stores)
    found = measure_store(folders, operator, runner, workers)
    if json_:
        print_json(asdict(found))
        return
    print_fields({"label": found.label, "records": found.records})
    if found.columns:
        heads = ["column", "least", "1 %", "middle", "99 %", "most"]
        told = {name: [f"{value:.4g}" for value in row] for name, row in found.columns.items()}
        rows = [[name, *(row or ["none", "", "", "", ""])] for name, row in told.items()]
        print_table(heads, rows)
    for column, counts in found.counts.items():
        told_counts = ", ".join(f"{value} {count}" for value, count in counts.items())
        print_wrapped(f"{column}:", told_counts or "nothing")
    name = Path("labels") / found.label
    print_wrapped("labels:", ", ".join(str(one / name) for one in folders))


def _own(op: str, gives: list[str], options: list[str]) -> "Operator":
    """The operator that the options describe, as a recipe's `data.ops` would."""
    import yaml
    from pydantic import ValidationError

    from pellucid.base.errors import Problem, UserError
    from pellucid.data.ops.own import own_operator
    from pellucid.recipe.explain import explain
    from pellucid.recipe.own import OwnOperator

    pairs: dict[str, dict[str, str]] = {"--gives": {}, "--option": {}}
    for at, told in (("--gives", gives), ("--option", options)):
        for one in told:
            name, equals, value = one.partition("=")
            if not equals or not name:
                raise UserError(Problem(at, one, "is not of the form a=b", "write name=value"))
            pairs[at][name] = value
    tree: dict[str, Any] = {
        "path": op,
        **({"gives": pairs["--gives"]} if gives else {}),
    }
    try:
        read = {name: yaml.safe_load(value) for name, value in pairs["--option"].items()}
    except yaml.YAMLError:
        rule, fix = "holds a value that is no YAML", "quote it, as in 'name=\"[\"'"
        raise UserError(Problem("--option", " ".join(options), rule, fix)) from None
    tree["options"] = read
    try:
        described = OwnOperator.model_validate(tree)
    except ValidationError as error:
        raise UserError([explain(detail, OwnOperator) for detail in error.errors()]) from None
    return own_operator(op.rpartition(":")[2].lower(), described, "--op")
