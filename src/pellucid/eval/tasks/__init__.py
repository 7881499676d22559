"""Tasks by the `kind` of their options: each says which items it asks, and how they are scored.

A pool is no such task: it asks nothing, and its metrics are made of the rows of others.
"""

from collections.abc import Mapping

from pellucid.base.lookup import pick
from pellucid.eval.tasks import python, store
from pellucid.eval.tasks.base import Item, Items, own_of
from pellucid.recipe.eval import EvalOptions
from pellucid.store import Store

__all__ = ["TASKS", "Item", "items_of", "own_of"]

TASKS: Mapping[str, Items] = {"store": store.items, "python": python.items}


def items_of(options: EvalOptions, stores: Mapping[str, Store], task: str) -> list[Item]:
    """Items of one task, in an order that depends on nothing but the arguments.

    Args:
        options: of the evaluation.
        stores: by name of the source; the one that the task reads.
        task: name of the task.

    Raises:
        UserError: the task or its source is unknown, it has no items, or no scorer checks them.
    """
    told = pick(options.asking, task, "eval.tasks")
    opened = pick(stores, told.source, f"eval.tasks.{task}.source")
    return pick(TASKS, told.kind, f"eval.tasks.{task}.kind")(task, told, opened, options.seed)
