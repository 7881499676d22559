"""Tokenizers whose control tokens take white space along, as Phi-4's do.

The newlines of its template then never become ids. In records and messages white space is kept, so
the tokenizer that goes on strips nothing, and what was stripped between control strings is taken
out of the format instead.
"""

import json
import re
from dataclasses import dataclass, replace

from pellucid.prompt.format import PHI4, ChatFormat
from pellucid.prompt.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Strips:
    """Which control strings take the white space to their left, or right, along."""

    left: frozenset[str]
    right: frozenset[str]

    def format(self, told: ChatFormat) -> ChatFormat:
        """The format as it is tokenized: white space that is taken along is not there."""
        ends = {told.turn_end} & self.right or {told.turn_start} & self.left
        opens = {told.separator} & self.right
        return replace(
            told,
            after_end="" if ends else told.after_end,
            after_assistant_separator="" if opens else told.after_assistant_separator,
        )

    def within(self, system: str) -> str:
        """The system text as it is tokenized, between a separator and the end of a turn."""
        pieces = re.split(f"({'|'.join(map(re.escape, sorted(self.left | self.right)))})", system)
        if not self.left | self.right:
            return system
        whole = [PHI4.separator, *pieces, PHI4.turn_end]
        for at in range(1, len(whole) - 1, 2):
            if whole[at - 1] in self.right:
                whole[at] = whole[at].lstrip()
            if whole[at + 1] in self.left:
                whole[at] = whole[at].rstrip()
        return "".join(whole[1:-1])


def unstripped(tokenizer: Tokenizer) -> tuple[Tokenizer, Strips]:
    """The tokenizer without its strips, and these."""
    tree = json.loads(tokenizer.source)
    added = tree.get("added_tokens", ())
    left, right = (
        frozenset(token["content"] for token in added if token.get(side))
        for side in ("lstrip", "rstrip")
    )
    if not left | right:
        return tokenizer, Strips(left, right)
    tree["added_tokens"] = [{**token, "lstrip": False, "rstrip": False} for token in added]
    return Tokenizer(json.dumps(tree, ensure_ascii=False).encode()), Strips(left, right)
