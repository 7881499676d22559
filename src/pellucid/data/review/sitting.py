"""A person in front of a sample: which records are shown, what is judged, how sure it is by now.

Sets come one after the other, each in the order that triage takes. Signals are not shown: a
judgement that has seen them agrees with them too easily. Leaves out on purpose: HTTP (`app.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.data.review.journal import Journal
from pellucid.data.triage.sets import RecordSet
from pellucid.recipe.triage import CLASSES, Suspicion
from pellucid.schema.record import Record, Turn
from pellucid.store import Store


@dataclass(frozen=True, slots=True)
class Place:
    """One record of the sitting."""

    id: str
    set: RecordSet


class Sitting:
    """The records of a sitting and what is known of them."""

    def __init__(
        self, store: Store, sets: Sequence[RecordSet], sample: int, journal: Journal
    ) -> None:
        self._store, self.journal = store, journal
        self.places = [Place(id, one) for one in sets for id in one.order[:sample]]
        self._at = {place.id: number for number, place in enumerate(self.places)}
        self.shown = {image.sha256 for place in self.places for image in store.get(place.id).images}
        """SHA-256 of every picture that the page may ask for."""

    def first(self) -> int:
        """The first record that is not judged; the number of records when all are."""
        done = self._done()
        return next(
            (at for at, place in enumerate(self.places) if place.id not in done), len(self.places)
        )

    def following(self, at: int) -> dict[str, Any]:
        """Progress, with the place of the next record to judge: after `at`, else the first open."""
        done = self._done()
        later = range(at + 1, len(self.places))
        open_ = (number for number in later if self.places[number].id not in done)
        after = next(open_, self.first())
        return {"next": after, **self.progress(after)}

    def where(self, id: str) -> int:
        """Place of a record that is judged; the first open one when it is not of this sample."""
        return self._at.get(id, self.first())

    def judge(self, at: int, classes: Sequence[Suspicion], seconds: float) -> None:
        """Write a judgement down.

        Raises:
            UserError: the record is published.
            DiskError: it cannot be written.
        """
        self.journal.judge(self.places[at].id, classes, seconds)

    def record(self, at: int) -> dict[str, Any]:
        """What the page shows of one record; texts are as they stand in the store."""
        place = self.places[at]
        record = self._store.get(place.id)
        judged = self._done().get(place.id)
        return {
            "at": at,
            "id": record.id,
            "set": place.set.name,
            "task": record.task,
            "domain": record.domain,
            "row": record.source.row,
            "turns": [_turn(turn, record) for turn in record.messages],
            "gold": _gold(record),
            "judged": None if judged is None else list(judged.classes),
            "published": place.id in self.journal.published,
        }

    def progress(self, at: int) -> dict[str, Any]:
        """How far the sitting is, and the error rate of the set at a place, so far."""
        done = self._done()
        judged = [done[place.id] for place in self.places if place.id in done]
        one = self.places[min(at, len(self.places) - 1)].set
        seen = [id for id in one.stratum_of if id in done]
        rate = None
        if seen:
            found = one.rate(seen, [id for id in seen if done[id].classes])
            rate = {
                "rate": found.rate, "low": found.low, "high": found.high,
                "seen": found.seen, "size": found.size,
            }  # fmt: skip
        counts = {name: sum(name in one.classes for one in judged) for name in CLASSES}
        return {
            "done": len(judged),
            "total": len(self.places),
            "seconds": sum(one.seconds for one in judged),
            "set": one.name,
            "rate": rate,
            "counts": {"excellent": sum(not one.classes for one in judged), **counts},
            "undo": bool(self.journal.open),
        }

    def _done(self) -> dict[str, Any]:
        return {**self.journal.published, **self.journal.open}


def _turn(turn: Turn, record: Record) -> dict[str, Any]:
    parts = [
        {"text": part.text}
        if part.type == "text"
        else {
            "image": record.images[part.image or 0].sha256,
            "width": record.images[part.image or 0].width,
            "height": record.images[part.image or 0].height,
            "number": (part.image or 0) + 1,
        }
        for part in turn.content
    ]
    return {"role": turn.role, "parts": parts, "thinking": turn.reasoning, "mode": turn.mode}


def _gold(record: Record) -> dict[str, Any] | None:
    if record.answer is None:
        return None
    answer = record.answer
    return {"kind": answer.kind, "gold": answer.gold, "aliases": list(answer.aliases)}
