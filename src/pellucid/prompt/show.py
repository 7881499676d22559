"""A rendered conversation for people: what is supervised stands out, images are folded.

Text cannot steer the terminal: every character that does not print is spelt out, except newlines.
"""

from collections.abc import Iterator
from itertools import groupby

from pellucid.prompt.plan.base import Plan
from pellucid.prompt.render import Renderer
from pellucid.prompt.rendered import Rendered

_GREEN, _DIM, _RESET = "\x1b[32m", "\x1b[2m", "\x1b[0m"


def coloured(rendered: Rendered, renderer: Renderer) -> str:
    """For a terminal: supervised runs in green, context dimmed; the last line counts."""
    runs = _runs(rendered, renderer)
    text = "".join((_GREEN if learnt else _DIM) + run + _RESET for learnt, run in runs)
    return f"{text}\n{_count(rendered)}"


def plain(rendered: Rendered, renderer: Renderer) -> str:
    """For a file: supervised runs between guillemets; the last line counts."""
    runs = _runs(rendered, renderer)
    text = "".join(f"«{run}»" if learnt else run for learnt, run in runs)
    return f"{text}\n{_count(rendered)}"


def _runs(rendered: Rendered, renderer: Renderer) -> Iterator[tuple[bool, str]]:
    """(supervised, text) of neighbouring spans that are learnt or not learnt together."""
    plans = iter(rendered.plans)
    run, learning = "", False
    for span in rendered.spans:
        learnt = rendered.supervised[span.start]
        if learnt != learning and run:
            yield learning, run
            run = ""
        learning = learnt
        if span.kind == "image":
            run += _image(next(plans))
        else:
            run += _printable(renderer.tokenizer.decode(rendered.ids[span.start : span.stop]))
    if run:
        yield learning, run


def _image(plan: Plan) -> str:
    alike = [(view, len(list(some))) for view, some in groupby(plan.views)]
    grids = " + ".join(_times(count, f"{view.cols}x{view.rows}") for view, count in alike)
    return f"[image {grids} = {plan.tokens} tokens]"


def _times(count: int, grid: str) -> str:
    """A grid that stands several times in a row.

    >>> _times(4, "24x24"), _times(1, "24x24")
    ('4 of 24x24', '24x24')
    """
    return grid if count == 1 else f"{count} of {grid}"


def _printable(text: str) -> str:
    r"""Text with unprintable characters as Python escapes.

    >>> print(_printable("a\r"))
    a\r
    """
    return "".join(
        character if character == "\n" or character.isprintable() else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _count(rendered: Rendered) -> str:
    learnt, total = sum(rendered.supervised), len(rendered.ids)
    share = learnt / total if total else 0.0
    return f"{learnt} of {total} tokens supervised ({share:.1%})"
