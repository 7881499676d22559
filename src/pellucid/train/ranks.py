"""The processes that train one model together: who leads, and sums over all of them.

    torchrun --nproc-per-node 8 ... pellucid run recipe.yaml

Every rank sees other packs of a step (data parallel). These are dealt to the ranks, gradients
and losses are summed, and every rank makes the same update. Denominators come from the plan, so a
rank without a pack, or without an image, adds zeros and waits for nobody. One process alone is the
same code without a process group.

The optimizer's state can be shared out (see `optim`), and the weights as well (see `shard`).
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from pellucid.base.errors import Problem, UserError
from pellucid.base.launch import place

_PATIENCE = timedelta(days=30)
"""How long ranks wait while the leader alone works (draws, mixes, evaluates)."""
_BUCKET = 2**24
"""Numbers that are summed at once."""


@final
class Ranks:
    """What a process knows of those that it trains with."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        """Of a group that exists already; alone by default."""
        self.rank, self.size = rank, size
        self.idle = True
        """Whether all of them wait for what the leader tells next."""
        # What is told beside the numbers; a group of its own, since its waits may be long.
        self.aside = dist.new_group(backend="gloo", timeout=_PATIENCE) if size > 1 else None

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    @contextmanager
    def training_on(self, device: str) -> Iterator["Ranks"]:
        """Train in the body. When that fails the ranks are left wherever they are.

        Raises:
            UserError: there are more ranks on this machine than devices.
        """
        if self.size > 1 and device == "cuda":
            _take_device()
        self.idle = False
        yield self
        self.idle = True

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all ranks; of one dtype, in the same order."""
        if self.size == 1:
            return
        bucket: list[Tensor] = []
        for tensor in tensors:
            bucket.append(tensor)
            if sum(one.numel() for one in bucket) >= _BUCKET:
                _summed(bucket)
                bucket = []
        _summed(bucket)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up on any rank."""
        up = torch.tensor([float(flag)])
        self.add([up])
        return bool(up.item())

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the leader go through the body before the others, who find what it wrote."""
        if not self.leads:
            self.wait()
        try:
            yield
        finally:
            if self.leads:
                self.wait()

    def told(self, what: Any) -> Any:
        """What the leader says; the others' argument is not looked at."""
        if self.size == 1:
            return what
        box = [what]
        dist.broadcast_object_list(box, src=0, group=self.aside)
        return box[0]

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.size > 1:
            dist.barrier(group=self.aside)


ALONE = Ranks()


@cache
def joined() -> Ranks:
    """The ranks that torchrun started this process with; alone without it."""
    here = place()
    if here.size == 1:
        return ALONE
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    return Ranks(here.rank, here.size)


def leave() -> None:
    """End the process group, if there is one; all ranks call it."""
    joined().wait()  # nobody hangs up on one who is still talking
    joined.cache_clear()
    gc.collect()  # what is left of a group when the program ends may abort it
    if dist.is_initialized():
        dist.destroy_process_group()


def _take_device() -> None:
    """Make the device of this process's place on its machine the current one."""
    at, devices = place().local_rank, torch.cuda.device_count()
    if at >= devices:
        rule = f"needs a device that this machine has not: it has {devices}"
        fix = f"start at most {devices} processes on a machine (torchrun --nproc-per-node)"
        raise UserError(Problem("rank", at, rule, fix))
    torch.cuda.set_device(at)


def _summed(bucket: list[Tensor]) -> None:
    """Sum in place, in one message."""
    if not bucket:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
    dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in bucket])
    for tensor, part in zip(bucket, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
