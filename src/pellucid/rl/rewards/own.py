"""A reward of the user's: a function of one rollout, in a file of theirs.

    def brief(rollout, evidence, most=20):
        return 1.0 if len(rollout.answer or "") <= most else 0.0

It returns a number in [0, 1], or None for "cannot say", which is unscored and never 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import hash_json
from pellucid.base.own import FAILS, own_code, share, takes
from pellucid.recipe.rl import OwnReward, Rewards
from pellucid.schema.evidence import Evidence
from pellucid.schema.rollout import Rollout
from pellucid.schema.score import Score

VERSION = 1


@final
@dataclass(frozen=True, slots=True)
class Own:
    """A `Term` made of a function."""

    name: str
    function: Callable[..., Any]
    options: dict[str, Any]
    hash: str
    """Hash of the file, the function's name and its options."""

    def __call__(self, rollout: Rollout, evidence: Evidence, options: Rewards) -> Score:
        """What the function says of a rollout.

        Raises:
            UserError: it raises, or what it says is neither None nor a number in [0, 1].
        """
        at = f"rl.rewards.own.{self.name}"
        try:
            said = self.function(rollout, evidence, **self.options)
        except FAILS as error:
            rule = f"raised {type(error).__name__}: {error} (rollout {rollout.request_id})"
            raise UserError(
                Problem(at, self.function.__name__, rule, "mend the function")
            ) from error
        try:
            value = share(said)
        except ValueError as error:
            rule, fix = f"{error} (rollout {rollout.request_id})", "return a number from 0 to 1"
            raise UserError(Problem(at, self.function.__name__, rule, fix)) from None
        if value is None:
            return Score("unscored", None, self.name, self.hash, why="it cannot say")
        return Score("scored", value, self.name, self.hash)


def own_terms(options: Rewards, planned: Mapping[str, str] | None = None) -> dict[str, Own]:
    """The user's terms by name, ready to be called.

    Args:
        options: the recipe's rewards.
        planned: their hashes when the run was planned, where that is known.

    Raises:
        UserError: a file or a function is not there, cannot be run, or is not what was planned.
    """
    terms = {name: _term(name, own) for name, own in options.own.items()}
    for name, term in terms.items():
        if planned is not None and planned.get(name) != term.hash:
            rule, path = "was edited while the run was under way", options.own[name].path
            raise UserError(Problem(f"rl.rewards.own.{name}.path", path, rule, "run it again"))
    return terms


def own_hashes(options: Rewards) -> dict[str, str]:
    """Hash of each of the user's terms, by name; the files are run, so that faults show early.

    Raises:
        UserError: a file or a function is not there, or cannot be run.
    """
    return {name: term.hash for name, term in own_terms(options).items()}


def _term(name: str, own: OwnReward) -> Own:
    at = f"rl.rewards.own.{name}"
    code = own_code(f"{at}.path", own.path)
    function = own.path.rpartition(":")[2]
    takes(f"{at}.options", function, code, 2, own.options)
    told = {"code": code.hash, "function": function, "options": own.options, "version": VERSION}
    return Own(name, code.function, dict(own.options), hash_json({"scorer": name, **told}))
