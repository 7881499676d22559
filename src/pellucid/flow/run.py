"""Run a recipe: plan the jobs, skip what is done, do the rest, release, report."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.lookup import did_you_mean
from pellucid.base.paths import sweep_temporaries, write_json, write_text
from pellucid.flow.ahead import look_ahead
from pellucid.flow.beside import drawing_beside
from pellucid.flow.job import Job
from pellucid.flow.lines import say
from pellucid.flow.plan import Choices, plan_jobs, warn_idle
from pellucid.flow.provenance import code_version
from pellucid.flow.workspace import Workspace
from pellucid.recipe import Recipe, dump
from pellucid.schema.artifact import Artifact

RECIPE, RUN, REPORT = "recipe.yaml", "run.json", "report"
RESERVED = ("artifacts", "audit", "catalog")
LONG = ("init", "train", "rl", "eval")
"""Jobs before which it is looked at whether what comes after them can be done."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs of a run to do."""

    only: tuple[str, ...] = ()
    """Names or types of jobs; everything else must exist already."""
    start: str = ""
    """Name or type of a job: this one and all after it; everything before must exist already."""
    force: bool = False
    """Do the selected jobs again although their results exist."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run."""

    folder: Path
    recipe: Recipe
    artifacts: Mapping[str, Artifact]
    built: tuple[str, ...]
    """Names of the jobs that were not skipped."""


def run(
    recipe: Recipe,
    home: Path,
    selection: Selection | None = None,
    trackers: Sequence[str] = (),
) -> RunResult:
    """Do a recipe's jobs and leave a report.

    Args:
        recipe: what to do.
        home: the workspace folder; made when missing.
        selection: which jobs; all when absent.
        trackers: `KIND` or `KIND:WHERE` of each place that is told how it goes.

    Raises:
        UserError: a job that was not selected has no result, a job refused its input, or there is
            no such tracker.
        DiskError: the machine refused a file operation.
    """
    from pellucid.flow.tracking import tracking

    selection = selection or Selection()
    workspace = Workspace(home)
    folder = begin(recipe, workspace)
    warn_idle(recipe)
    jobs = plan_jobs(recipe, choose(recipe, folder))
    wanted = select(jobs, selection)
    needed = wanted | ancestors(jobs, wanted)
    before = recorded(folder)
    artifacts: dict[str, Artifact] = {}
    built: list[str] = []
    looked = False
    drawn = [job for job in jobs if job.name in wanted and job.type == "data"]
    beside = () if selection.force else drawn
    with (
        tracking(trackers, recipe, folder) as told,
        drawing_beside(recipe, folder / RECIPE, workspace, beside),
    ):
        for job in jobs:
            if any(parent not in artifacts for parent in job.parents):
                continue  # a parent was neither selected nor built before
            fresh = job.name in wanted and selection.force
            artifact = None if fresh else workspace.find(job, artifacts)
            if artifact:
                say(f"{job.name:<20} reused  {artifact.hash[:12]}")
            elif job.name in wanted:
                if not looked and job.type in LONG:
                    look_ahead(recipe, [one for one in jobs if one.name in wanted], artifacts)
                    looked = True
                with told.following(job.name, workspace.partial(job, artifacts)):
                    artifact = _build(job, artifacts, workspace, fresh)
                built.append(job.name)
            elif job.name in needed:
                raise _missing(job.name, selection)
            else:
                continue
            artifacts[job.name] = artifact
            record(folder, recipe, jobs, artifacts, before)
            told.job(artifact)
    if len(artifacts) == len(jobs):
        _finish(recipe, workspace, folder, artifacts)
    return RunResult(folder, recipe, artifacts, tuple(built))


def begin(recipe: Recipe, workspace: Workspace) -> Path:
    """Make the run's folder and write the resolved recipe, its first file."""
    if recipe.name in RESERVED:
        rule = "is the name of a workspace folder"
        raise UserError(Problem("name", recipe.name, rule, "choose another name"))
    folder = workspace.run_folder(recipe.name)
    with boundary("starting the run in"):
        folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(folder)
        write_text(folder / RECIPE, dump(recipe))
    return folder


def choose(recipe: Recipe, folder: Path, keep: bool = True) -> Choices:
    """Device and dtype; what `auto` came to is measured once and kept beside the run."""
    path = folder / "choices.json"
    asked = {"device": recipe.device, "dtype": recipe.dtype}
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["asked"] == asked:
            return Choices(**kept["chosen"])
    from pellucid.train.precision import choose as measure

    choice = measure(recipe.device, recipe.dtype)
    chosen = Choices(choice.device, choice.dtype, choice.why)
    if keep:
        write_json(path, {"asked": asked, "chosen": asdict(chosen)})
    return chosen


def select(jobs: Iterable[Job], selection: Selection) -> set[str]:
    """Names of the jobs to do.

    Raises:
        UserError: a name fits no job.
    """
    if selection.only and selection.start:
        given = {"--only": list(selection.only), "--from": selection.start}
        rule = "say two things about which jobs to do"
        raise UserError(Problem("selection", given, rule, "give one of the two"))
    names = [job.name for job in jobs]
    types = {job.name: job.type for job in jobs}

    def named(word: str, field: str) -> list[str]:
        found = [name for name in names if word in (name, types[name])]
        if not found:
            known = {*names, *types.values()}
            rule = "fits no job of this recipe"
            raise UserError(Problem(field, word, rule, did_you_mean(word, known)))
        return found

    if selection.only:
        return {name for word in selection.only for name in named(word, "--only")}
    if selection.start:
        return set(names[names.index(named(selection.start, "--from")[0]) :])
    return set(names)


def recorded(folder: Path) -> dict[str, dict[str, str]]:
    """The jobs that run.json names, by name; none when there is no readable one."""
    try:
        tree = json.loads((folder / RUN).read_text(encoding="utf-8"))
        return {job["name"]: job for job in tree["jobs"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def record(
    folder: Path,
    recipe: Recipe,
    jobs: Iterable[Job],
    artifacts: Mapping[str, Artifact],
    before: Mapping[str, dict[str, str]],
) -> None:
    """Write run.json: which artifact each job came to.

    Jobs that were not reached keep what they came to `before`, so that a run that stops half-way
    forgets nothing that an earlier one finished.
    """
    commit, dirty = code_version()
    now = {
        name: {
            "name": name,
            "type": artifact.manifest.type,
            "artifact": artifact.path.name,
            "content_hash": artifact.hash,
        }
        for name, artifact in artifacts.items()
    }
    told = [found for job in jobs if (found := now.get(job.name) or before.get(job.name))]
    write_json(folder / RUN, {"name": recipe.name, "commit": commit, "dirty": dirty, "jobs": told})


def ancestors(jobs: Iterable[Job], wanted: Iterable[str]) -> set[str]:
    """Names of all jobs that the wanted ones build on."""
    parents = {job.name: job.parents for job in jobs}
    found: set[str] = set()
    queue = list(wanted)
    while queue:
        for parent in parents[queue.pop()]:
            if parent not in found:
                found.add(parent)
                queue.append(parent)
    return found


def _build(
    job: Job, artifacts: Mapping[str, Artifact], workspace: Workspace, fresh: bool
) -> Artifact:
    say(f"{job.name:<20} ...")
    artifact = workspace.build(job, artifacts, fresh)
    seconds = artifact.manifest.timing["seconds"]
    say(f"{job.name:<20} built   {artifact.hash[:12]} in {seconds:.1f} s")
    return artifact


def _missing(name: str, selection: Selection) -> UserError:
    field = "--only" if selection.only else "--from"
    rule = "has no result yet, and a selected job builds on it"
    return UserError(Problem(field, name, rule, "run without the option first, or select it too"))


def _finish(
    recipe: Recipe, workspace: Workspace, folder: Path, artifacts: Mapping[str, Artifact]
) -> None:
    from pellucid.flow.gate import register
    from pellucid.flow.report import write_report

    entry = None
    if recipe.release:
        with boundary("writing the catalog in"):
            entry = register(recipe, workspace.catalog, artifacts)
    with boundary("writing the report in"):
        write_report(recipe, folder / REPORT, artifacts, entry)
