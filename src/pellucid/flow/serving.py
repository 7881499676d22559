"""Serve a model: find it, load it, open the endpoint."""

from pathlib import Path

from pellucid.flow.lines import say
from pellucid.flow.models import CONTEXT, find_model
from pellucid.recipe.serve import ServeOptions


def serve_model(
    reference: str, home: Path, options: ServeOptions, slots: int, context_tokens: int | None = None
) -> None:
    """Serve until interrupted.

    Args:
        reference: a checkpoint folder, or a name in the catalog.
        home: the workspace.
        options: address, limits and filters.
        slots: answers side by side.
        context_tokens: longest conversation; the model's, but at most `CONTEXT`, when None.

    Raises:
        UserError: there is no such model, or the address cannot be opened.
    """
    model = find_model(reference, home)
    from pellucid.infer.engine import Engine
    from pellucid.serve.app import create_app
    from pellucid.serve.server import run_server

    say(f"loading {model.name} ...")
    engine = Engine.load(model.folder, slots=slots, context_tokens=context_tokens, at_most=CONTEXT)
    audit = home / "audit" / f"{model.name}.jsonl"
    run_server(create_app(engine, options, model.name, audit), options.host, options.port)
