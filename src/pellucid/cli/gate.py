"""`pellucid gate`: a run's verdict as an exit code."""

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, RunName
from pellucid.cli.show import print_json, print_table

EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


def gate(run: RunName, home: Home = DEFAULT_HOME, json_: Json = False) -> None:
    """Print a run's verdict; ends with 0 / 1 / 3 for PASS / FAIL / INCONCLUSIVE.

    Example: pellucid gate smoke
    """
    from dataclasses import asdict

    from pellucid.flow.gate import read_verdict

    verdict = read_verdict(home, run)
    if json_:
        print_json(asdict(verdict))
    else:
        print_table(
            ("check", "kind", "result", "why"),
            [(check.name, check.kind, check.outcome, check.why) for check in verdict.checks],
        )
        print(verdict.outcome)
    raise typer.Exit(EXIT[verdict.outcome])
