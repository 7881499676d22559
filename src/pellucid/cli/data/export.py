"""`pellucid data export`: a store's records as rows that other programs read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, StoreName
from pellucid.cli.show import print_json


def export(
    store: StoreName,
    to: Annotated[Path, typer.Option("--to", help="The new file; its ending tells its kind.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="llava_json, sharegpt, openai, trl, cauldron, verl or table."
        ),
    ] = "llava_json",
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option("--split", help="Only this split."),
    ] = None,
    json_: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Write records as rows of a format; an import of them gives the same records again.

    LLaVA rows go into .json, .jsonl or .tar (a WebDataset), pictures beside them; TRL rows into
    .parquet, .arrow or .jsonl; OpenAI messages into .jsonl, pictures in them.

    Example: pellucid data export store --to train.parquet --format trl
    """
    from pellucid import store as stores
    from pellucid.data.exports import export as write
    from pellucid.flow.named import folders_of

    done = write(stores.open(*folders_of(home, [store])), format_, to, split)
    if json_:
        print_json({"file": str(to), "records": done.records, "already_there": done.there})
    else:
        there = ", already there, the same" if done.there else ""
        print(f"{to}: {done.records} records{there}")
