"""What a runner is: something that carries a function over many tasks, here or elsewhere.

Labels are written by the tasks themselves (`store.write_part`), atomically. Results come back in
any order, so whoever asks must not care.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from pellucid.data.ops.base import Resources

T = TypeVar("T")
R = TypeVar("R")


class Runner(Protocol):
    """A row of the table of runners."""

    def __call__(
        self, work: Callable[[T], R], tasks: Sequence[T], workers: int, resources: Resources
    ) -> Iterator[R]:
        """Do `work` on every task; yield what it returns, in any order.

        Args:
            work: a function of a module (other processes import it).
            tasks: picklable.
            workers: how many at a time.
            resources: what one task needs.

        Raises:
            UserError: the runner cannot be used here, or a process of it was killed.
        """
