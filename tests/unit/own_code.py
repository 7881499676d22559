"""A recipe beside a file of the user's own code, as far as its jobs are planned."""

from collections.abc import Callable
from pathlib import Path

from pellucid.flow.job import Job, Work
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.recipe import load


def planned_slice(folder: Path, code: str, slices: str, job: str) -> object:
    """The slice of one job of a recipe that extends `smoke`, with the code as `mine.py` beside."""
    return _planned(folder, code, slices, job).slice


def check_key(folder: Path, code: str, slices: str, job: str, other: str) -> None:
    """The file's bytes are part of the key of `job` and of no other; its place is part of none."""
    changed = code + "# changed\n"
    one = planned_slice(folder / "one", code, slices, job)
    assert one == planned_slice(folder / "two", code, slices, job), "wherever it lies"
    assert one != planned_slice(folder / "one", changed, slices, job)
    before = planned_slice(folder / "one", code, slices, other)
    assert before == planned_slice(folder / "one", changed, slices, other)


def planned_work(folder: Path, code: str, slices: str, job: str) -> Callable[[Work], None]:
    """The work of such a job."""
    return _planned(folder, code, slices, job).work


def _planned(folder: Path, code: str, slices: str, job: str) -> Job:
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(code, encoding="utf-8")
    (folder / "recipe.yaml").write_text(f"extends: smoke\nname: own\n{slices}\n", encoding="utf-8")
    jobs = plan_jobs(load(str(folder / "recipe.yaml")), Choices("cpu", "float32", ""))
    (found,) = [one for one in jobs if one.name == job]
    return found
