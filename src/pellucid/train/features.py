"""What a frozen tower makes of each example, kept on disk while a stage runs.

Where a stage sees its images more than once and does not train the tower, the tower's output can be
read instead of made again, and the image need not even be decoded. Whether that pays is measured on
the first packs and written down; a run that was killed reads what was chosen. An example's features
are those of the first pack, or half of one, that it was in, from then on. They are kept as float32,
as the tower gives them, so what is read is what was made, to the bit.

Leaves out on purpose: several ranks (each sees other examples each epoch), and held-out mixes.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from pellucid.base.paths import remove_tree, write_json
from pellucid.model.processor import Example
from pellucid.train.feed import Feed
from pellucid.train.lengths import Lengths
from pellucid.train.objective import Objective
from pellucid.train.pack import Pack

FOLDER = "features"
CHOICE = "timing/features.json"
PROBED = 20
"""Packs that the choice is measured on."""
_GAIN = 0.95
"""Share of the time without, that the time with kept features must stay under."""
_ROOM = 0.5
"""Most of the disk's free space that is taken."""


class Cost(NamedTuple):
    """Seconds for each patch that was probed."""

    make: float
    """Decoding its image, and the tower."""
    keep: float
    """Writing what the tower gave."""
    read: float
    """Reading it."""


def pays(cost: Cost, visits: float) -> bool:
    """Whether keeping features takes less time, where each image is seen so often.

    >>> pays(Cost(make=1.0, keep=0.5, read=0.1), visits=2.0)
    True
    >>> pays(Cost(make=1.0, keep=0.5, read=0.1), visits=1.0)
    False
    """
    return cost.make + cost.keep + (visits - 1) * cost.read < _GAIN * visits * cost.make


@final
class Features:
    """The kept features of one stage's examples."""

    def __init__(
        self,
        folder: Path,
        run: str,
        lengths: Lengths,
        feed: Feed,
        objective: Objective,
        device: str,
    ) -> None:
        """Open what was kept for this run; anything else there is removed.

        Args:
            folder: the stage's own.
            run: hash of what decides the run.
            lengths: of its examples.
            feed: makes them.
            objective: has the tower.
            device: where the tower is.
        """
        self._lengths, self._feed, self._device = lengths, feed, device
        self._objective, self.run = objective, run
        self._width = int(objective.model.config.vision_config.hidden_size)
        self._starts = np.concatenate([[0], np.cumsum(lengths.patches)])
        at = folder / FOLDER
        told = at / "run.json"
        if not (told.exists() and json.loads(told.read_bytes()) == run):
            remove_tree(at)
            at.mkdir(parents=True)
            write_json(told, run)
        self._data = os.open(at / "data", os.O_RDWR | os.O_CREAT, 0o644)
        self._journal = os.open(at / "kept.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._journal).st_size
        *lines, rest = os.pread(self._journal, size, 0).split(b"\n")
        os.ftruncate(self._journal, size - len(rest))  # half a line, of a disk that was full
        self._kept = {index for line in lines for index in json.loads(line)}

    @property
    def bytes(self) -> int:
        """Size of all of them."""
        return int(self._starts[-1]) * self._width * 4

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._data)
        os.close(self._journal)

    def make(self, packs: Sequence[Pack], settle: Callable[[], None]) -> None:
        """Make and keep what is not kept yet of some packs, those of each side by side.

        Args:
            packs: examples that are run together.
            settle: called after pictures are decoded and before the tower runs. It ends what is
                run by other threads: some libraries know one number of threads for all, so the
                tower and what runs beside it would set it for one another, and the tower's last
                bits may depend on it.

        Raises:
            OSError: the disk refused.
        """
        missing, before = list[dict[int, Example]](), set[int]()
        for pack in packs:
            wanted = dict.fromkeys(at for at in pack if not self._has(at) and at not in before)
            before.update(wanted)
            missing.append({at: self._feed.example(at) for at in wanted})
        if before:
            settle()
        for fresh in filter(None, missing):
            self._keep(list(fresh), self._made(list(fresh.values())))

    def examples(self, pack: Pack) -> tuple[list[Example], Float[Tensor, "p d"]]:
        """The examples of a pack without their pixels, and what the tower made of these.

        All of them have been made.
        """
        examples = [self._feed.example(index, pixels=False) for index in pack]
        found = [self._read(index) for index in pack]
        return examples, torch.from_numpy(np.concatenate(found)).to(self._device)

    def probe(self, packs: Sequence[Pack]) -> Cost | None:
        """What making, writing and reading take; None where these packs have no image.

        The first pack warms up and is not counted where there are others.
        """
        took, patches = np.zeros(3), 0
        for number, pack in enumerate(packs[:PROBED]):
            start = time.perf_counter()
            examples = [self._feed.example(index) for index in pack]
            seen = {at: one for at, one in zip(pack, examples, strict=True) if len(one.patches)}
            if not seen:
                continue
            without = time.perf_counter()
            for index in pack:
                self._feed.example(index, pixels=False)
            bare = time.perf_counter() - without  # needed either way
            begun = time.perf_counter()
            made = self._made(list(seen.values()))
            ready = time.perf_counter()
            self._keep(list(seen), made)
            written = time.perf_counter()
            for index in seen:
                self._read(index)
            end = time.perf_counter()
            if number or len(packs) == 1:
                pixels = without - start - bare
                took += (pixels + ready - begun, written - ready, end - written)
                patches += sum(len(one.patches) for one in seen.values())
        return Cost(*(took / patches).tolist()) if patches else None

    def _has(self, index: int) -> bool:
        return index in self._kept or not self._lengths.patches[index]

    def _made(self, examples: Sequence[Example]) -> Float32[np.ndarray, "p d"]:
        """What the tower gives for these examples side by side."""
        patches = torch.from_numpy(np.concatenate([one.patches for one in examples]))
        grids = torch.from_numpy(np.concatenate([one.grids for one in examples]))
        found = self._objective.tower(patches.to(self._device), grids)
        made: np.ndarray = found.float().cpu().numpy()
        return made

    def _keep(self, indices: Sequence[int], made: Float32[np.ndarray, "p d"]) -> None:
        """Write what the tower gave for some examples at once: all of them count, or none.

        Who is killed in between makes the same examples side by side again, to the same bits.
        """
        at = 0
        for index in indices:
            count = int(self._lengths.patches[index])
            part = np.ascontiguousarray(made[at : at + count]).tobytes()
            start = int(self._starts[index]) * self._width * 4
            _all(os.pwrite(self._data, part, start), part)
            at += count
        os.fsync(self._data)  # a line never says more than the disk has
        line = json.dumps(list(indices)).encode() + b"\n"
        _all(os.write(self._journal, line), line)
        self._kept.update(indices)

    def _read(self, index: int) -> Float32[np.ndarray, "p d"]:
        count = int(self._lengths.patches[index])
        size, start = count * self._width * 4, int(self._starts[index]) * self._width * 4
        data = os.pread(self._data, size, start)
        assert len(data) == size, f"features of example {index} have {len(data)} of {size} bytes"
        return np.frombuffer(data, dtype=np.float32).reshape(count, self._width)


def _all(written: int, data: bytes) -> None:
    """Refuse less than everything."""
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), FOLDER)


def choose(
    folder: Path, features: Features, visits: float, packs: Sequence[Pack], asked: str
) -> bool:
    """Whether features are kept: as was chosen before, as is asked for, or as a probe says.

    Args:
        folder: the stage's own.
        features: of the stage.
        visits: how often it sees an image, in the mean.
        packs: its first ones.
        asked: "keep" or "auto".
    """
    path = folder / CHOICE
    if path.exists() and (told := json.loads(path.read_bytes()))["run"] == features.run:
        return bool(told["keep"])
    if asked == "keep":
        told = {"keep": True, "why": "asked for"}
    elif visits <= 1:
        told = {"keep": False, "why": "no image is seen twice"}
    elif features.bytes > _ROOM * shutil.disk_usage(folder).free:
        told = {"keep": False, "why": f"{features.bytes:,} bytes are over half of what is free"}
    else:
        cost = features.probe(packs)
        keep = cost is not None and pays(cost, visits)
        told = {"keep": keep, "why": "measured", "visits": visits}
        told |= {"seconds_per_patch": cost._asdict()} if cost else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**told, "run": features.run})
    return bool(told["keep"])
