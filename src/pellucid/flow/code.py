"""What a run asks of code of the user's own: hashes for keys, and that it is what was planned."""

from collections.abc import Mapping
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.eval import PythonTask
from pellucid.recipe.own import OwnOperator
from pellucid.recipe.rl import RlOptions


def own_tasks(tasks: Mapping[str, PythonTask]) -> dict[str, dict[str, str]]:
    """What decides the questions of tasks of the user's own, by name.

    Raises:
        UserError: there is no such file or function, or it takes other arguments.
    """
    from pellucid.eval.tasks import python

    return {name: python.code(name, task) for name, task in tasks.items()}


def own_reward_hashes(options: RlOptions) -> dict[str, str]:
    """Hash of every reward of the user's own, by name."""
    if not options.rewards.own:
        return {}
    from pellucid.rl.rewards import own_hashes

    return own_hashes(options.rewards)


def own_op_params(ops: Mapping[str, OwnOperator]) -> dict[str, dict[str, Any]]:
    """What decides the labels that operators of the user's own make, by label.

    Raises:
        UserError: there is no such file or function, or it takes other arguments.
    """
    from pellucid.data.ops.own import own_operator

    return {name: own_operator(name, one, f"data.ops.{name}").params for name, one in ops.items()}


def as_planned(at: str, now: Mapping[str, Any], planned: Mapping[str, Any]) -> None:
    """Check that code of the user's is what the key of its job was made of.

    Raises:
        UserError: its file was edited since.
    """
    if now != planned:
        rule = "was edited while the run was under way"
        raise UserError(Problem(f"{at}.path", at.rpartition(".")[2], rule, "run it again"))
