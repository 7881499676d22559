"""The user's own code in a recipe, called with the first records of its sources before a run is.

    data.ops.*                      an operator, with the records of the sources whose mixes ask it
    eval.tasks.* of kind python     a task, with the records of its source, of every split
    eval.tasks.*.scorer             a scorer, with the golds of the task and answers to them
    rl.rewards.own.*                a reward, with rollouts about the records of RL's mix
    model.images of kind python     an image strategy, with the sizes of all pictures among them

Every call is made twice and its result checked as a run would. The first rows of a source are
imported into a folder that is removed at the end. Answers and rollouts are made up: right ones, and
what any model gives at times. Leaves out on purpose: the made-up records, sizes and odd answers of
`pellucid.testing`, which a function for one source need not understand, and how a source is read,
which `data.check` looks at.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pellucid import store
from pellucid.base.errors import PellucidError, Problem, UserError, boundary
from pellucid.base.own import own_code, share
from pellucid.base.paths import resolve
from pellucid.data import build_source
from pellucid.data.files import Given
from pellucid.data.imports import build_rows
from pellucid.data.ops.own import checked, own_operator
from pellucid.data.sources import rows_of
from pellucid.eval.tasks.base import own_of
from pellucid.eval.tasks.python import asks, code
from pellucid.prompt.plan.own import FIELD
from pellucid.prompt.plan.own import load as load_images
from pellucid.recipe import Recipe
from pellucid.recipe.data import ScenesSource, SourceOptions, StoreSource
from pellucid.recipe.eval import AskingTask, PythonTask
from pellucid.recipe.model import PythonImages
from pellucid.recipe.own import OwnFunction, OwnOperator
from pellucid.recipe.rl import OwnReward, Rewards, RlOptions
from pellucid.recipe.rows import RowsSource
from pellucid.rl.rewards import own_terms
from pellucid.schema.evidence import Evidence
from pellucid.schema.record import Answer, Record
from pellucid.schema.rollout import Rollout
from pellucid.store import Store
from pellucid.testing.answers import ANSWERS, PLAIN, rollouts_of
from pellucid.testing.images import sized
from pellucid.testing.records import Case, cases_of, looked

FIRST = 20
"""Rows of a source that own code is called with."""
_WRITTEN = tuple(name for name in PLAIN if ANSWERS[name])
"""Answers beside the golds that scorers are tried on; empty ones never reach them."""
_SCENES = 5
"""Scenes of a source that are drawn for it; each gives several records."""

First = Callable[[str], Store | None]
"""The first records of a source; None where it cannot be read, which is told of the source."""


class Looked(NamedTuple):
    """A function that was found and called."""

    field: str
    """Of the recipe."""
    path: str
    """`file.py:function`."""
    called: str
    """What it was called with, for people."""
    note: str = ""
    """What is no fault, and what its user would want to know."""


def check_code(recipe: Recipe) -> tuple[list[Looked], list[Problem]]:
    """Load and call all code of the user's that a recipe names, sources of rows apart.

    Returns:
        What was called, and a problem for each function that is not there, fails, or gives what a
        run would refuse.

    Raises:
        DiskError: the disk refused.
    """
    found, problems = list[Looked](), list[Problem]()
    with _first_records(recipe) as first:
        for look in _looks(recipe, first):
            try:
                found.append(look())
            except UserError as error:
                problems += error.problems
    return found, problems


def _looks(recipe: Recipe, first: First) -> Iterator[Callable[[], Looked]]:
    for name, op in recipe.data.ops.items():
        asking = [mix.labels for mix in recipe.data.mixes.values()]
        sources = [one for labels in asking for one in labels if f"{name}@1" in labels[one]]
        yield partial(_op, name, op, list(dict.fromkeys(sources or recipe.data.sources)), first)
    for name, task in recipe.eval.tasks.items():
        if isinstance(task, PythonTask):
            yield partial(_task, name, task, first)
        if isinstance(task, AskingTask) and task.scorer:
            yield partial(_scorer, name, task, task.scorer, first)
    if recipe.rl:
        takes = recipe.data.mixes[recipe.rl.mix].take
        asked = list(dict.fromkeys(take.source for take in takes))
        for name, reward in recipe.rl.rewards.own.items():
            yield partial(_reward, name, reward, recipe.rl, asked, first)
    if recipe.model.kind == "build" and isinstance(recipe.model.images, PythonImages):
        patch_px = recipe.model.vision.patch_px
        yield partial(_images, recipe.model.images, patch_px, list(recipe.data.sources), first)


def _op(name: str, options: OwnOperator, sources: list[str], first: First) -> Looked:
    at = f"data.ops.{name}"
    own_operator(name, options, at)  # which refuses a name of ours and other arguments
    function = own_code(f"{at}.path", options.path).function

    def said(record: Record, images: Any) -> Any:
        return checked(function(record, images, **options.options), options.gives)

    faults, counts, silent = list[str](), dict[str, int](), 0
    for source, opened in _read(sources, first):
        broken, told = looked(cases_of(opened, FIRST), said)
        faults += broken
        counts[source] = len(broken) + len(told)
        silent += sum(all(value is None for value in one.values()) for one in told)
    _refuse(f"{at}.path", options.path, faults)
    note = f"it says nothing of {silent} of them" if silent else ""
    return Looked(at, options.path, _told(counts), note)


def _task(name: str, options: PythonTask, first: First) -> Looked:
    at = f"eval.tasks.{name}"
    code(name, options)
    function = own_code(f"{at}.path", options.path).function

    def said(record: Record, images: Any) -> Any:
        return asks(function(record, **options.options), record)

    counts, asked = dict[str, int](), 0
    for source, opened in _read([options.source], first):
        cases = _cases(options, opened)
        faults, told = looked(cases, said)
        _refuse(f"{at}.path", options.path, faults)
        counts[source], asked = len(cases), sum(map(len, told))
    note = "" if asked else "it asks nothing about them; a run refuses a task that asks nothing"
    return Looked(at, options.path, _told(counts), note if any(counts.values()) else "")


def _cases(options: AskingTask, opened: Store) -> list[Case]:
    """The first records that a task may ask about."""
    cases = cases_of(opened, FIRST)
    return [one for one in cases if not options.tasks or one[1].task in options.tasks]


def _scorer(name: str, options: AskingTask, own: OwnFunction, first: First) -> Looked:
    at = f"eval.tasks.{name}.scorer"
    own_of(name, options)  # which refuses other arguments
    function = own_code(f"{at}.path", own.path).function

    def said(answer: str, gold: Answer) -> float | None:
        return _share(function(answer, gold, **own.options))

    counts, wrong, odd = dict[str, int](), 0, list[str]()
    for source, opened in _read([options.source], first):
        golds = list(_golds(name, options, opened))
        faults, told = looked([(case, gold.gold, gold) for case, gold in golds], said)
        _refuse(f"{at}.path", own.path, faults)
        counts[source], wrong = len(golds), sum(value == 0 for value in told)
        other = [
            (f"{case}, {kind}", ANSWERS[kind] or "", gold)
            for case, gold in golds
            for kind in _WRITTEN
        ]
        odd = looked(other, said)[0]
    notes = [f"it finds {wrong} of them wrong as answers to themselves"] if wrong else []
    notes += [f"another answer would be undecided: {odd[0]}"] if odd else []
    return Looked(at, own.path, _told(counts, "golds"), "; ".join(notes))


def _golds(name: str, options: AskingTask, opened: Store) -> Iterator[tuple[str, Answer]]:
    """Golds of what a task asks about the first records; none where its own function fails."""
    if not isinstance(options, PythonTask):
        found = [(case, record.answer) for case, record, _ in _cases(options, opened)]
        yield from ((case, gold) for case, gold in found if gold is not None)
        return
    with suppress(UserError):  # which is told of the task
        function = own_code(f"eval.tasks.{name}.path", options.path).function

        def said(record: Record, images: Any) -> Any:
            return [
                (f"record {record.id}", one.answer)
                for one in asks(function(record, **options.options), record)
            ]

        for told in looked(_cases(options, opened), said)[1]:
            yield from told


def _reward(name: str, own: OwnReward, rl: RlOptions, sources: list[str], first: First) -> Looked:
    at = f"rl.rewards.own.{name}"
    function = own_terms(Rewards(own={name: own}))[name].function  # refuses other arguments

    def said(asked: Rollout, evidence: Evidence) -> float | None:
        return _share(function(asked, evidence, **own.options))

    faults, counts, values = list[str](), dict[str, int](), list[float | None]()
    for source, opened in _read(sources, first):
        records = [record for _, record, _ in cases_of(opened, FIRST) if record.answer]
        cases = [
            (
                f"record {one.id}, {kind}",
                asked,
                Evidence(one.answer, one.evidence, rl.max_new_tokens),
            )
            for one in records
            for kind, asked in rollouts_of(one.answer.gold if one.answer else "")
        ]
        broken, told = looked(cases, said)
        faults, values, counts[source] = faults + broken, values + told, len(records)
    _refuse(f"{at}.path", own.path, faults)
    silent = bool(values) and all(value is None for value in values)
    note = "it says nothing of any rollout; a run refuses a reward that never does"
    return Looked(at, own.path, _told(counts, "rollouts about records"), note if silent else "")


def _share(said: object) -> float | None:
    """What a reward or a scorer said, as a number.

    Raises:
        ValueError: it may not say that.
    """
    try:
        return share(said)
    except ValueError as error:
        raise ValueError(f"{error}, wanted a number from 0 to 1 or None") from None


def _images(options: PythonImages, patch_px: int, sources: list[str], first: First) -> Looked:
    load_images(options)
    function = own_code(FIELD, options.path).function
    sizes = {
        (image.width, image.height): None
        for _, opened in _read(sources, first)
        for _, record, _ in cases_of(opened, FIRST)
        for image in record.images
    }
    found, faults = sized(function, sizes, options.max_tokens, patch_px, options.options)
    _refuse(FIELD, options.path, faults)
    most = f", at most {max(found.values())} tokens" if found else ""
    return Looked("model.images", options.path, f"with {len(sizes)} sizes of pictures{most}")


def _read(sources: list[str], first: First) -> Iterator[tuple[str, Store]]:
    """The sources that can be read, with their first records."""
    for source in sources:
        if (opened := first(source)) is not None:
            yield source, opened


def _told(counts: Mapping[str, int], what: str = "records") -> str:
    """What a function was called with."""
    said = ", ".join(f"{count} of {source}" for source, count in counts.items())
    return f"with {what}: {said}" if said else "not at all, as its source cannot be read"


def _refuse(field: str, path: str, faults: list[str]) -> None:
    """One error for all that is wrong with a function.

    Raises:
        UserError: something is.
    """
    if faults:
        more = f"; so for {len(faults)} of what it was called with" if len(faults) > 1 else ""
        fix = "mend the function (pellucid.testing has more checks)"
        raise UserError(Problem(field, path, f"{faults[0]}{more}", fix))


@contextmanager
def _first_records(recipe: Recipe) -> Iterator[First]:
    """Stores of the first rows of sources, made when they are asked for, gone at the end."""
    known: dict[str, Store | None] = {}
    with TemporaryDirectory(prefix="pellucid-check-") as name:

        def first(source: str) -> Store | None:
            if source not in known:
                options = recipe.data.sources[source]
                try:
                    known[source] = _opened(source, options, recipe.seed, Path(name) / source)
                except PellucidError:
                    known[source] = None
            return known[source]

        yield first


def _opened(name: str, options: SourceOptions, seed: int, folder: Path) -> Store:
    if isinstance(options, StoreSource):
        return store.open(resolve(options.path))
    if isinstance(options, ScenesSource):
        fewer = min(options.scenes, _SCENES)
        build_source(name, options.model_copy(update={"scenes": fewer}), seed, folder)
        return store.open(folder)
    assert isinstance(options, RowsSource), "a source draws, is a store, or has rows"
    rows = rows_of(options)
    few = replace(rows, read=partial(_few, rows.read), unparsed=None)
    with boundary(f"reading source {name}"):
        build_rows(name, options.model_copy(update={"on_fault": "drop"}), few, seed, folder)
    return store.open(folder)


def _few(read: Callable[[], Iterator[Given]]) -> Iterator[Given]:
    return islice(read(), FIRST)
