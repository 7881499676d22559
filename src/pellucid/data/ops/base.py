"""What an operator is: a pure function from one shard of a store to facts about its rows.

An operator says what it reads and gives, and has a name, a version and parameters that are hashed.
So a shard's facts are known by a key, are made once, and come out the same whoever carries the
operator over the shards (`data/runners/`). Leaves out on purpose: anything that needs several
shards; that is a second pass over what operators gave (`data/duplicates/`, `data/contamination/`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pyarrow as pa

Images = Callable[[str], bytes]
"""SHA-256 of an image -> its encoded bytes."""

Over = Literal["records", "images"]


@dataclass(frozen=True, slots=True)
class Resources:
    """What one shard needs; the local runner takes it as it comes, a cluster plans with it."""

    cpus: float = 1.0
    memory_mb: int = 1024


class Operator(Protocol):
    """One operation. It must be picklable: other processes run it."""

    @property
    def name(self) -> str:
        """Name of its labels."""

    @property
    def version(self) -> int:
        """Raised when equal rows would give other facts."""

    @property
    def over(self) -> Over:
        """What a row is: a record, or an image of the shard's pack, by its only column `sha256`."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of a record that are read, nested ones as `images.list.element.sha256`."""

    @property
    def needs_images(self) -> bool:
        """Whether `run` asks for image bytes."""

    @property
    def gives(self) -> pa.Schema:
        """Columns of its labels; the first is `id` (of the record, or SHA-256 of the image)."""

    @property
    def resources(self) -> Resources:
        """What one shard needs."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Everything else that decides the facts, as JSON values."""

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """Facts of a shard's rows, columns as `gives`; at most one row for each id.

        Over images, a row's facts may depend on nothing but that image: a shard is shared out.

        Args:
            table: the columns `needs` of one shard.
            images: gives encoded bytes; refuses when `needs_images` is false.
        """
