"""OpenAI-compatible endpoints as something that is paid for: asked once, and written down first.

`Client.run` sends `Call`s and leaves their `Reply`s in a `Ledger`; who wants them reads them there,
by key. A call that the ledger holds an answer to is never sent again. `batch` writes the same calls
as files for a batch service and reads its results into the same ledger.

Leaves out on purpose: what is asked and what an answer is worth (`data/teacher`), streaming, tools.
"""

from pellucid.endpoint.base import BOUGHT, Call, Endpoint, ModelSetting, Prices, Reply
from pellucid.endpoint.budget import Bound, Limits, Spent
from pellucid.endpoint.client import Client, Ended
from pellucid.endpoint.ledger import Ledger

__all__ = [
    "BOUGHT",
    "Bound",
    "Call",
    "Client",
    "Ended",
    "Endpoint",
    "Ledger",
    "Limits",
    "ModelSetting",
    "Prices",
    "Reply",
    "Spent",
]
