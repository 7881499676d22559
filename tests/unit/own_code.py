"""A recipe beside a file of the user's own code, as far as its jobs are planned."""

from pathlib import Path

from pellucid.flow.plan import Choices, plan_jobs
from pellucid.recipe import load


def planned_slice(folder: Path, code: str, slices: str, job: str) -> object:
    """The slice of one job of a recipe that extends `smoke`, with the code as `mine.py` beside."""
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(code, encoding="utf-8")
    (folder / "recipe.yaml").write_text(f"extends: smoke\nname: own\n{slices}\n", encoding="utf-8")
    jobs = plan_jobs(load(str(folder / "recipe.yaml")), Choices("cpu", "float32", ""))
    (found,) = [one for one in jobs if one.name == job]
    return found.slice
