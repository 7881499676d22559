"""The `pellucid` command: its verbs, and how errors end it.

Exit codes: 0 done, 1 gate FAIL, 2 the user or the machine can mend it, 3 gate INCONCLUSIVE,
130 interrupted. Rooms are imported inside the verbs, so that `--help` is quick.
"""

import os
import signal
import sys
from types import FrameType

import typer

from pellucid import __version__
from pellucid.base.errors import PellucidError, boundary
from pellucid.cli import (
    catalog,
    chat,
    data,
    eval,
    export,
    gate,
    init,
    plan,
    recipe,
    report,
    run,
    runs,
    serve,
    trace,
)

app = typer.Typer(
    name="pellucid",
    help="Compact multimodal reasoning models that can be audited: one recipe in, a gated and "
    "served model out.\n\nStart with: pellucid run smoke",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich takes longer to import than everything else together
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.add_typer(recipe.app, name="recipe")
app.command("trace")(trace.trace)
app.command("eval")(eval.evaluate)
app.command("report")(report.report)
app.command("gate")(gate.gate)
app.command("export")(export.export)
app.add_typer(catalog.app, name="catalog")
app.command("serve")(serve.serve)
app.command("chat")(chat.chat)


def _version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


@app.callback()
def top(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    """Options before the verb."""


class Interrupted(BaseException):
    """Ctrl-C, as an exception that no library on the way catches."""


KEEPING = ("run", "eval")
"""Verbs that go on where they stopped."""


def _stopped(arguments: list[str]) -> str:
    """What to say after Ctrl-C: a promise only where it holds.

    >>> _stopped(["serve", "smoke"])
    'stopped'
    """
    if next(iter(arguments), "") in KEEPING:
        return "stopped; what is finished is saved, run the same command again to go on"
    return "stopped"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted


def main() -> None:
    """Entry of the `pellucid` command."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        with boundary("reading or writing"):
            app()
    except PellucidError as error:
        for line in str(error).splitlines():
            print(f"pellucid: {line}", file=sys.stderr)
        sys.exit(2)
    except (Interrupted, KeyboardInterrupt):
        print(f"\npellucid: {_stopped(sys.argv[1:])}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): no message, and none from the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
