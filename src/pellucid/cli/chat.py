"""`pellucid chat`: ask a model, once or in a conversation."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.base.errors import PellucidError, Problem, UserError, boundary
from pellucid.cli.options import DEFAULT_HOME, ContextTokens, Home, Json, ModelName
from pellucid.cli.show import print_json

if TYPE_CHECKING:
    from pellucid.flow.chat import Conversation, Settings
    from pellucid.infer.stream import Stream
    from pellucid.schema.rollout import Rollout

HELP = """/image FILE   show a picture with the next question
/mode NAME    auto, think or nothink
/new          forget what was said
/help         this list
/quit         end (or Ctrl-D); Ctrl-C ends an answer"""
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def chat(
    model: ModelName,
    question: Annotated[
        str | None,
        typer.Argument(help="What to ask; without it, a conversation.", metavar="[QUESTION]"),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", help="A picture to ask about; may be repeated.", metavar="FILE"),
    ] = None,
    mode: Annotated[str, typer.Option("--mode", help="auto, think or nothink.")] = "auto",
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer.")] = 256,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="0: the likeliest answer.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of sampled answers.")] = 0,
    context_tokens: ContextTokens = None,
    home: Home = DEFAULT_HOME,
    json_: Json = False,
) -> None:
    """Ask a model about pictures or text.

    On a terminal the answer streams and thinking is dimmed; elsewhere only the answer is printed.

    Example: pellucid chat smoke --image chart.png "How many bars are there?"
    """
    from pellucid.flow.chat import Settings, open_conversation, read_picture

    settings = _in_mode(Settings("auto", max_tokens, temperature, seed), mode)
    with boundary("reading"):
        images = [read_picture(path) for path in image or ()]
    if question is not None and not question.strip():
        fix = "ask something, or leave it out for a conversation"
        raise UserError(Problem("question", question, "is empty", fix))
    if json_ and question is None:
        fix = "give the question as an argument"
        raise UserError(Problem("--json", json_, "needs one question", fix))
    conversation = open_conversation(model, home, context_tokens)
    if question is None:
        converse(conversation, images, settings)
        return
    stream = conversation.ask(question, images, settings)
    rollout = stream.rollout() if json_ else _show(stream)
    if json_:
        print_json(_document(rollout))
    conversation.keep(question, images, rollout)


def _in_mode(settings: "Settings", name: str) -> "Settings":
    from pellucid.base.lookup import did_you_mean
    from pellucid.schema.record import MODES

    for mode in MODES:
        if mode == name:
            return replace(settings, mode=mode)
    raise UserError(Problem("mode", name, "is no mode", did_you_mean(name, MODES)))


def converse(conversation: "Conversation", images: list[bytes], settings: "Settings") -> None:
    """Questions and commands until the input ends."""
    from pellucid.flow.chat import read_picture

    with suppress(ImportError):  # not there on Windows
        import readline  # noqa: F401 - arrow keys and history in `input`

    if sys.stdin.isatty():
        print("/help lists the commands")
    asked = False
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            if not asked and not sys.stdin.isatty():
                fix = "give one as an argument, or lines on standard input"
                raise UserError(Problem("question", None, "is missing", fix)) from None
            return
        asked = asked or bool(line)
        word, _, rest = line.partition(" ")
        try:
            if word == "/quit":
                return
            elif word == "/help":
                print(HELP)
            elif word == "/new":
                conversation.clear()
                images = []
            elif word == "/mode":
                settings = _in_mode(settings, rest.strip())
            elif word == "/image":
                with boundary("reading"):
                    images = [*images, read_picture(Path(rest.strip()).expanduser())]
            elif word.startswith("/"):
                raise UserError(Problem("command", word, "is not known", "/help lists them"))
            elif line:
                stream = conversation.ask(line, images, settings)
                rollout = _interruptible(stream)
                if stream.cancelled:
                    print("stopped; the question is forgotten", file=sys.stderr)
                    continue
                conversation.keep(line, images, rollout)
                images = []
        except PellucidError as error:
            print(error, file=sys.stderr)


def _interruptible(stream: "Stream") -> "Rollout":
    """Show an answer; Ctrl-C ends the answer, not the conversation."""
    before = signal.signal(signal.SIGINT, lambda *_: stream.cancel())
    try:
        return _show(stream)
    finally:
        signal.signal(signal.SIGINT, before)


def _show(stream: "Stream") -> "Rollout":
    """Print an answer while it comes; on a terminal its thinking as well, dimmed."""
    terminal = sys.stdout.isatty()
    dim, plain = ("", "") if os.environ.get("NO_COLOR") else (_DIM, _PLAIN)
    before, said = "", False
    for delta in stream:
        if delta.channel == "control" or not delta.text:
            continue
        if not terminal and delta.channel == "thinking":
            continue
        if terminal and delta.channel != before:
            if before:
                sys.stdout.write(f"{plain}\n")
            sys.stdout.write(dim if delta.channel == "thinking" else plain)
            before = delta.channel
        sys.stdout.write(delta.text)
        sys.stdout.flush()
        said = True
    if said:
        print(plain if terminal else "")
    return stream.rollout()


def _document(rollout: "Rollout") -> dict[str, object]:
    fields = ("mode", "chosen", "thinking", "answer", "outcome", "finish_reason")
    told = {name: getattr(rollout, name) for name in fields}
    told |= {"prompt_tokens": rollout.prompt_tokens, "tokens": len(rollout.token_ids)}
    return told | {"error": rollout.error}
