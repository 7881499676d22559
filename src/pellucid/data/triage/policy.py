"""The policy of a triage: a YAML file, or the defaults, with what the command line overrides."""

from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.recipe.load import load_options
from pellucid.recipe.triage import TriageOptions


def policy_of(path: Path | None, sample: int | None, seed: int | None) -> TriageOptions:
    """The options of a triage or a review.

    Categories of the file are added to the default ones, or replace those of the same name.

    Args:
        path: the file; defaults when None.
        sample: records of each set, instead of what the policy says.
        seed: seed of the order, instead of what the policy says.

    Raises:
        UserError: the file is not there, or is no policy.
    """
    if path and not path.is_file():
        raise UserError(Problem("--policy", str(path), "is not a file", "check the path"))
    options = load_options(path, TriageOptions) if path else TriageOptions()
    kinds = {**TriageOptions().categories, **options.categories}
    given = {"records": sample, "seed": seed}
    told = {name: value for name, value in given.items() if value is not None}
    return options.model_copy(
        update={"categories": kinds, "sample": options.sample.model_copy(update=told)}
    )
