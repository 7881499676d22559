"""Options that several verbs share, with one wording each."""

import os
from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[
    str, typer.Argument(help="A shipped recipe's name, or a YAML file.", metavar="RECIPE")
]
ModelName = Annotated[
    str,
    typer.Argument(help="A checkpoint folder, a name in the catalog, name@alias.", metavar="MODEL"),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a field; may be repeated.", metavar="A.B=VALUE"),
]
Home = Annotated[
    Path, typer.Option("--home", envvar="PELLUCID_HOME", help="Workspace folder.", metavar="DIR")
]
ContextTokens = Annotated[
    int | None,
    typer.Option(
        "--context-tokens", min=1, help="Longest conversation; the model's, at most 8192."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
RunName = Annotated[
    str, typer.Argument(help="Name of a run in the workspace, as `pellucid runs list` shows it.")
]
StoreName = Annotated[
    str,
    typer.Argument(help="A store's folder, a run, or RUN:SOURCE.", metavar="STORE"),
]


def one_thread_each() -> None:
    """Let numpy's products use one thread; to be called before numpy is imported.

    Work on many small pictures is shared out over processes. Threads inside each would wait for one
    another: on a busy machine that is ten times slower.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")


DEFAULT_HOME = Path("runs")
