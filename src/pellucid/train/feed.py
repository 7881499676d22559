"""From an index of the plan to an example: record, rendering, images.

A record is read when its turn comes, and the store keeps only so many bytes, so memory does not
grow with the mix. On a CPU two threads ask, each for its half of a pack (see `step`, `replica`):
while one reads, the other computes. Leaves out on purpose: threads of its own, which would work
ahead of the passes elsewhere too (the log's `data_wait_share` says when that would pay).
"""

from dataclasses import replace
from threading import Lock
from typing import final

from pellucid.base.errors import UserError
from pellucid.model.processor import Example, Processor
from pellucid.prompt.render import Renderer
from pellucid.store import Store
from pellucid.train.lengths import Lengths


@final
class Feed:
    """Makes the examples that a length index promised."""

    def __init__(self, lengths: Lengths, stores: Store, renderer: Renderer) -> None:
        self._lengths, self._stores, self._renderer = lengths, stores, renderer
        self._processors: dict[int | None, Processor] = {None: Processor(renderer)}
        self._lock = Lock()

    def example(self, index: int, pixels: bool = True) -> Example:
        """The example at `index` of the length index, with its promised length.

        Without pixels no image is read, and there are no patches. Any thread may ask.

        Raises:
            UserError: a picture cannot be read; it names the record.
        """
        lengths, images = self._lengths, None
        row = int(lengths.row[index])
        with self._lock:
            record = self._stores.get(lengths.records[row])
            processor = self._processor(lengths.image_tokens[index])
            if pixels:
                images = [self._stores.image(image.sha256) for image in record.images]
        rendered = processor.renderer.examples(record, lengths.overrides[row])
        try:
            example = processor.example(rendered[int(lengths.part[index])], images)
        except UserError as error:
            named = [
                replace(one, field=f"records.{record.id}.{one.field}") for one in error.problems
            ]
            raise UserError(named) from None
        promised = int(lengths.tokens[index]), int(lengths.patches[index]) if pixels else 0
        found = len(example.ids), len(example.patches)
        assert found == promised, f"record {record.id}: (tokens, patches) {found}, not {promised}"
        return example

    def _processor(self, image_tokens: int | None) -> Processor:
        """That of the model, or one with a smaller budget of images."""
        if image_tokens is not None and image_tokens not in self._processors:
            smaller = self._renderer.within(image_tokens, "pack.over_budget")
            self._processors[image_tokens] = Processor(smaller)
        return self._processors[image_tokens]
