"""Protocols: what a room asks of another without importing it."""

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Request, Rollout
from pellucid.schema.score import Score


@runtime_checkable
class Generator(Protocol):
    """Turns requests into rollouts: our engine, or any OpenAI-compatible endpoint."""

    @property
    def model_id(self) -> str:
        """Content hash of the weights, or endpoint and model name."""
        ...

    def generate(self, requests: Iterable[Request]) -> Iterator[Rollout]:
        """Yield one rollout per request, in the order of the requests.

        Requests are taken as they are needed. An answer must not depend on what else was asked in
        the same call.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Checks one rollout against its evidence."""

    def __call__(self, rollout: Rollout, evidence: Evidence) -> Score:
        """The score; never raises on model output."""
        ...
