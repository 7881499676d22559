"""Rules of `eval` and `release`: tasks that can be asked, checks that can be decided.

A gate reads what this run will measure, on test items, and at least one of its checks judges by a
family of data that RL was never rewarded on (rule 9 of the design). Leaves out on purpose: what
only the data can tell (which domains and tasks a source has, which scorers its answers need).
"""

from collections.abc import Iterator

from pellucid.base.errors import Problem
from pellucid.base.lookup import unknown
from pellucid.recipe.eval import AskingTask, PoolTask
from pellucid.recipe.recipe import Recipe
from pellucid.recipe.release import Check, metrics_of, pair_of
from pellucid.schema.report import MEANS, METRIC_NAMES, OF_MODES, OF_POOLS

JUDGES = ("accuracy", "gain", "auto_gain", *OF_POOLS)
"""Metrics that say whether answers are right."""


def tasks(recipe: Recipe) -> Iterator[Problem]:
    """Tasks name what exists, and every evaluated checkpoint is asked something."""
    known = ("final", *recipe.checkpoints)
    for index, mode in enumerate(recipe.eval.earlier_modes):
        if mode not in recipe.eval.modes:
            yield unknown(f"eval.earlier_modes.{index}", mode, recipe.eval.modes)
    for index, checkpoint in enumerate(recipe.eval.checkpoints):
        at = f"eval.checkpoints.{index}"
        if checkpoint not in known:
            yield unknown(at, checkpoint, known)
        elif not recipe.eval.for_checkpoint(_called(recipe, checkpoint)).asking:
            fix = "name it in a task's checkpoints, or take it out"
            yield Problem(at, checkpoint, "is asked no task", fix)
    for name, task in recipe.eval.tasks.items():
        if isinstance(task, PoolTask):
            yield from _pool(recipe, f"eval.tasks.{name}", task)
        else:
            yield from _store(recipe, f"eval.tasks.{name}", task)


def gate(recipe: Recipe) -> Iterator[Problem]:
    """Checks read metrics that this run will make, and pairs that are pairs."""
    for name, check in recipe.release.checks.items() if recipe.release else ():
        at = f"release.checks.{name}"
        found = [
            problem
            for field, metric in metrics_of(check).items()
            for problem in _metric(recipe, f"{at}.{field}", metric)
        ]
        yield from found
        if not found:
            yield from _pair(at, check)


def independent(recipe: Recipe) -> Iterator[Problem]:
    """With RL, some check judges answers about a family that RL's mix does not take."""
    if not recipe.rl or not recipe.release or recipe.rl.mix not in recipe.data.mixes:
        return
    takes = recipe.data.mixes[recipe.rl.mix].take
    rewarded = {_family(recipe, take.source) for take in takes}
    if any(_judges(recipe, check, rewarded) for check in recipe.release.checks.values()):
        return
    free = sorted(
        name
        for name, task in recipe.eval.asking.items()
        if task.floor and task.split == "test" and _apart(recipe, task, rewarded)
    )
    fix = (
        f"take a family out of data.mixes.{recipe.rl.mix} and let a check read its accuracy "
        "(docs/own-data.md shows one), or set release: null for a run without a verdict"
    )
    if free:
        fix = f"let a check read the accuracy of eval.final.{free[0]}"
    yield Problem(
        "release.checks",
        sorted(recipe.release.checks),
        f"judge by no family that RL is not rewarded on (data.mixes.{recipe.rl.mix} takes "
        f"{', '.join(sorted(rewarded))})",
        fix,
    )


def _store(recipe: Recipe, at: str, task: AskingTask) -> Iterator[Problem]:
    if task.source not in recipe.data.sources:
        yield unknown(f"{at}.source", task.source, recipe.data.sources)
    for index, mode in enumerate(task.modes):
        if mode not in recipe.eval.modes:
            yield unknown(f"{at}.modes.{index}", mode, recipe.eval.modes)
    evaluated = _evaluated(recipe)
    for index, checkpoint in enumerate(task.checkpoints):
        if checkpoint not in evaluated:
            yield unknown(f"{at}.checkpoints.{index}", checkpoint, evaluated)


def _pool(recipe: Recipe, at: str, task: PoolTask) -> Iterator[Problem]:
    known = recipe.eval.asking
    for index, member in enumerate(task.tasks):
        if member not in known:
            yield unknown(f"{at}.tasks.{index}", member, known)


def _metric(recipe: Recipe, at: str, metric: str) -> Iterator[Problem]:
    """What is wrong with the id of a metric in a check."""
    parts = metric.split(".")
    if len(parts) != 6 or parts[0] != "eval":
        yield Problem(
            at,
            metric,
            "is not of the form eval.<checkpoint>.<task>.<mode>.<group>.<name>",
            "write all six parts, e.g. eval.final.charts.auto.all.accuracy",
        )
        return
    _, checkpoint, task, mode, _, name = parts
    if checkpoint not in _evaluated(recipe):
        yield unknown(at + " (checkpoint)", checkpoint, _evaluated(recipe))
    elif task not in recipe.eval.tasks:
        yield unknown(at + " (task)", task, recipe.eval.tasks)
    elif mode not in recipe.eval.modes:
        yield unknown(at + " (mode)", mode, recipe.eval.modes)
    elif name not in METRIC_NAMES:
        yield unknown(at + " (name)", name, METRIC_NAMES)
    else:
        yield from _measured(recipe, at, metric)


def _measured(recipe: Recipe, at: str, metric: str) -> Iterator[Problem]:
    """Why a metric of known parts is not measured, or is none that a gate may read."""
    _, checkpoint, task, mode, _, name = metric.split(".")
    if mode not in OF_MODES.get(name, (mode,)):
        fix = f"write {' or '.join(OF_MODES[name])} for the mode"
        yield Problem(at, metric, f"does not exist in mode {mode}", fix)
    if name in OF_POOLS and task not in recipe.eval.pools:
        yield Problem(at, metric, "is measured of pools only", "name a task of kind pool")
    measured = recipe.eval.for_checkpoint(_called(recipe, checkpoint))
    if mode not in measured.modes:
        rule = f"is not measured: eval.earlier_modes lacks {mode}"
        yield Problem(at, metric, rule, "add it there")
    elif task not in measured.tasks:
        rule = f"is not measured: eval.tasks.{task} leaves out this checkpoint"
        yield Problem(at, metric, rule, "add it to the task's checkpoints")
    for member in recipe.eval.members(task):
        asked = recipe.eval.asking.get(member)
        if asked is None:
            continue  # a pool that names no task is refused by itself
        of = f"eval.tasks.{member}"
        if mode not in recipe.eval.modes_of(member):
            yield Problem(at, metric, f"is not measured: {of}.modes lacks {mode}", "add it there")
        if asked.split != "test":
            fix = f"set {of}.split to test, or read another task"
            yield Problem(at, metric, f"reads items of the {asked.split} split", fix)
        if not asked.floor:
            rule = f"reads a task that is only shown ({of}.floor is false)"
            yield Problem(at, metric, rule, "read another task, or set floor to true")


def _pair(at: str, check: Check) -> Iterator[Problem]:
    """Two sides of a paired check are one measure of the same items."""
    pair = pair_of(check)
    if pair is None:
        return
    new, old = (id.split(".") for id in pair)
    if new[5] not in MEANS:
        rule = f"is no mean over items, so its {new[5]} cannot be paired"
        yield Problem(f"{at}.metric", pair[0], rule, f"use one of: {', '.join(MEANS)}")
    elif (new[2], *new[4:]) != (old[2], *old[4:]):
        rule = f"and {pair[1]} differ in task, group or name, so their items are no pairs"
        yield Problem(f"{at}.metric", pair[0], rule, "let checkpoint or mode differ, nothing else")


def _judges(recipe: Recipe, check: Check, rewarded: set[str]) -> bool:
    """Whether a check judges answers of the last checkpoint, about families not rewarded."""
    for metric in metrics_of(check).values():
        parts = metric.split(".")
        if len(parts) != 6 or parts[1] not in _called(recipe, "final") or parts[5] not in JUDGES:
            continue
        members = [recipe.eval.asking.get(name) for name in recipe.eval.members(parts[2])]
        if all(task and _apart(recipe, task, rewarded) for task in members):
            return True
    return False


def _apart(recipe: Recipe, task: AskingTask, rewarded: set[str]) -> bool:
    """Whether a task shows the pictures of a family that is not rewarded."""
    return task.picture == "as_is" and _family(recipe, task.source) not in rewarded


def _family(recipe: Recipe, source: str) -> str:
    """What a source's records have in common: the kind of its scenes, its store, its dataset."""
    options = recipe.data.sources.get(source)
    if options is None:
        return source
    if options.kind == "store":
        return options.path
    return options.scene.kind if options.kind == "scenes" else options.dataset


def _called(recipe: Recipe, checkpoint: str) -> set[str]:
    """All names of a checkpoint."""
    last = {recipe.checkpoints[-1], "final"}
    return last if checkpoint in last else {checkpoint}


def _evaluated(recipe: Recipe) -> set[str]:
    """All names of the checkpoints that are evaluated."""
    return {name for told in recipe.eval.checkpoints for name in _called(recipe, told)}
