"""`pellucid serve`: an OpenAI-compatible endpoint for a released model."""

from typing import Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, ModelName


def serve(
    model: ModelName,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any.")] = 8000,
    slots: Annotated[int, typer.Option("--slots", min=1, help="Answers side by side.")] = 4,
    home: Home = DEFAULT_HOME,
) -> None:
    """Serve a model at /v1/chat/completions.

    Example: pellucid serve smoke@candidate --port 8000
    """
    from pellucid.flow.serving import serve_model

    serve_model(model, home, host, port, slots)
