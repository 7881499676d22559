r"""Where the final answer of a text stands.

In this order: the last closed `\boxed{}`, the last `<answer>` block, the last "the answer is" or
"Answer:", the whole text. Only the last `MAX_CHARS` characters are read, in one pass, so any text
takes bounded work. Left out on purpose: what the answer means (each scorer's own rule).
"""

import re
from typing import NamedTuple
from unicodedata import normalize

VERSION = 1
"""Goes up when the same text may give another answer; every scorer's hash has it."""
MAX_CHARS = 10_000
"""How much of the end of a text is read."""
MAX_WRAPPERS = 16

_BRACES = re.compile(r"\\boxed\s{0,4}\{|\\.|[{}]", re.DOTALL)
_CUE = re.compile(
    r"\b(?:answer|option|choice)(?:\*\*)?(?:\s{1,4}is\b|\s{0,4}[:：])(?:\s{0,4}[:：])?(?:\*\*(?=\s))?",
    re.IGNORECASE,
)
_PAIRS = (("$$", "$$"), ("$", "$"), ("**", "**"), ("__", "__"), ("`", "`"), (r"\(", r"\)"),
          (r"\[", r"\]"))  # fmt: skip
_COMMAND = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boxed)\{")
_QUOTES = "\"'`“”‘’«»"
_CLOSING = _QUOTES + ".,;:!?"


class Extracted(NamedTuple):
    """The final answer, and the rule that found it: boxed, block, cue or whole."""

    text: str
    rule: str


def final_answer(text: str) -> Extracted:
    """The final answer of a text, without what wraps it (see `unwrap`).

    >>> final_answer("Two and two make four. The answer is **4**.")
    Extracted(text='4', rule='cue')
    """
    tail = text[-MAX_CHARS:]
    boxed = _last_boxed(tail)
    if boxed is not None:
        return Extracted(unwrap(boxed), "boxed")
    end = tail.rfind("</answer>")
    start = tail.rfind("<answer>", 0, max(end, 0))
    if start >= 0:
        return Extracted(unwrap(tail[start + len("<answer>") : end]), "block")
    cued = _after_cue(tail)
    if cued:
        return Extracted(unwrap(cued), "cue")
    bare = tail.strip().rstrip(". ")
    inner = unwrap(bare)
    return Extracted(tail.strip() if inner == bare else inner, "whole")


def unwrap(text: str) -> str:
    r"""The text inside wrappers that span all of it: `$`, `**`, backticks, `\(`, `\text{}`.

    >>> unwrap("**$x$**"), unwrap("$a$ and $b$")
    ('x', '$a$ and $b$')
    """
    inner = text.strip()
    for _ in range(MAX_WRAPPERS):
        peeled = _peel(inner)
        if peeled is None:
            break
        inner = peeled.strip()
    return inner


def tidy(text: str) -> str:
    """A text without differences of case, width, space, outer quotes and closing punctuation.

    Reads `MAX_CHARS` characters. A text of punctuation alone stays.
    """
    # Two rounds: folding the case may leave characters that are not in normal form.
    folded = normalize("NFKC", normalize("NFKC", text[:MAX_CHARS]).casefold())
    spaced = " ".join(folded.split())
    return spaced.lstrip(_QUOTES + " ").rstrip(_CLOSING + " ") or spaced


def _last_boxed(text: str) -> str | None:
    """Content of the closed box that opens last; escaped braces do not count."""
    opened: list[tuple[bool, int]] = []
    found: tuple[int, int] | None = None
    for token in _BRACES.finditer(text):
        if token[0][-1] == "{" and token[0] != r"\{":
            opened.append((token[0] != "{", token.end()))
        elif token[0] == "}" and opened:
            is_box, start = opened.pop()
            if is_box and (found is None or start > found[0]):
                found = (start, token.start())
    return None if found is None else text[found[0] : found[1]]


def _after_cue(text: str) -> str:
    """The rest of the line after the last cue that anything follows, else nothing."""
    for cue in reversed(list(_CUE.finditer(text))):
        rest = text[cue.end() :].lstrip()
        line = rest.splitlines()[0].strip().rstrip(". ") if rest else ""
        # What opened before the cue closes here: **Answer: B**, \text{Answer: B}, $Answer: B$.
        if line.count("**") % 2:
            line = line.removesuffix("**").removeprefix("**").strip()
        if line.count("$") % 2:
            line = line.removesuffix("$").strip()
        if line.endswith("}") and line.count("}") > line.count("{"):
            line = line[:-1].strip()
        if line:
            return line
    return ""


def _peel(text: str) -> str | None:
    """The text without its outermost wrapper, or None when nothing wraps all of it."""
    for left, right in _PAIRS:
        if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
            inner = text[len(left) : -len(right)]
            escaped = inner.endswith("\\") and right == "$"
            if left not in inner and right not in inner and not escaped:
                return inner
    opening = _COMMAND.match(text)
    if opening is None or not text.endswith("}"):
        return None
    depth = 1
    for token in _BRACES.finditer(text, opening.end()):
        if token[0] != r"\{" and token[0][-1] in "{}" and token[0] != r"\}":
            depth += 1 if token[0][-1] == "{" else -1
        if depth == 0:
            return text[opening.end() : -1] if token.end() == len(text) else None
    return None
