r"""The LLaVA row format: `image`, `conversations`, and a few fields of our own.

    {"image": "a.png" | ["a.png", "b.png"] | null,
     "conversations": [{"from": "human", "value": "<image>\nHow many?"},
                       {"from": "gpt", "value": "<think>1 + 1 = 2.</think>2"}],
     "id", "split", "task", "domain", "group", "licence", "mode", "difficulty", "evidence",
     "lineage": {"op", "version", "params_hash", "parents", "calls"},
     "answer": {"kind", "gold", "aliases", "tolerance"}}

Everything but `conversations` may be missing. Images stand where the user's `<image>` tags stand,
first when there is no tag; an assistant's `<image>` is plain text. Other fields are kept in the
record's `raw` only.

What tags cannot say is said in full: a turn's `value` may be a list of `{"type": "text", "text"}`
and `{"type": "image"}`, in which `<image>` is text, and a turn may carry `reasoning`, `mode` and
`weight`, and then its `value` is the answer as it stands. `write_row` uses that form only where it
has to, so what it writes reads as the record again.
"""

from pellucid.data.llava.answer import parse_answer
from pellucid.data.llava.fault import RowFault
from pellucid.data.llava.read import Row, parse_row
from pellucid.data.llava.write import write_row

__all__ = ["Row", "RowFault", "parse_answer", "parse_row", "write_row"]
