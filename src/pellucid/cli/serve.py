"""`pellucid serve`: an OpenAI-compatible endpoint for a released model."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, ContextTokens, Home, ModelName


def serve(
    model: ModelName,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; the recipe's, or 127.0.0.1.")
    ] = "",
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port; the recipe's, or 8000; 0: any."),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="Recipe whose serve slice sets limits and filters.")
    ] = "",
    slots: Annotated[int, typer.Option("--slots", min=1, help="Answers side by side.")] = 4,
    context_tokens: ContextTokens = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Serve a model at /v1/chat/completions.

    Example: pellucid serve smoke --port 8000
    """
    from pellucid.flow.serving import serve_model
    from pellucid.recipe import load
    from pellucid.recipe.serve import ServeOptions

    options = load(recipe).serve if recipe else ServeOptions()
    told = {"host": host or options.host, "port": options.port if port is None else port}
    serve_model(model, home, options.model_copy(update=told), slots, context_tokens)
