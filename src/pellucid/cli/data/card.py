"""`pellucid data card`: a datasheet for a store."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, StoreName


def card(
    store: StoreName,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write it here; else print it.", metavar="FILE")
    ] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Write a dataset card from a store's lineage and counts, for the hub and for people.

    What no store can know, why it was made and who answers for it, is left to a person.

    Example: pellucid data card smoke --to README.md
    """
    import shlex

    from pellucid.base.errors import Problem, UserError, boundary
    from pellucid.base.paths import write_text
    from pellucid.data.looking.card import card as write
    from pellucid.flow.named import named

    folders = named(home, store)
    name = next(iter(folders)) if len(folders) == 1 else store
    text = write(name, list(folders.values()))
    if to is None:
        print(text, end="")
        return
    with boundary("writing the card"):
        if to.exists() and to.read_bytes() != text.encode("utf-8"):
            # It may be an older card that a person has filled in, so nothing writes over it.
            rule = "exists and is not the card of the store as it is now"
            fix = (
                f"move it away (mv {shlex.quote(str(to))} {shlex.quote(f'{to}.old')}), call this "
                "again, and carry over what a person wrote; or name another file"
            )
            raise UserError(Problem("--to", str(to), rule, fix))
        write_text(to, text)
    print(f"card: {to}")
