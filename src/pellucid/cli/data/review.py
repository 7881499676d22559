"""`pellucid data review`: a person judges a sample on a local page."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, StoreName


def review(
    store: StoreName,
    source: Annotated[str, typer.Option("--source", help="Only this dataset.")] = "",
    sample: Annotated[int, typer.Option("--sample", min=1, help="Records of each set.")] = 60,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Name under which the labels are kept.")
    ] = "reviewer",
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Strata and categories of triage.", metavar="FILE"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of the order of records; 0.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Judge records on a local page, one key each; go on where you stopped.

    Each judgement is on the disk before the next record is shown. When the sitting ends it
    becomes a label file, labels/review.NAME@1. The page is for this machine only.

    Example: pellucid data review my-store --reviewer ana --sample 60
    """
    from pellucid.data.review.server import review as run
    from pellucid.data.triage import policy_of
    from pellucid.flow.named import one_store

    _, folder = one_store(home, store)
    run(folder, policy_of(policy, sample, seed), source, reviewer, port, not no_open)
