"""What a plan counts with: the arithmetic of what would train, not that of who asks."""

from dataclasses import asdict
from pathlib import Path

import pytest

from pellucid.base.paths import write_json
from pellucid.flow.plan import Choices
from pellucid.flow.preview import preview
from pellucid.flow.workspace import Workspace
from pellucid.recipe import load


@pytest.mark.parametrize("here", ["float32", "bfloat16"])
def test_an_accelerator_s_arithmetic_is_not_this_machine_s(tmp_path: Path, here: str) -> None:
    """A recipe that leaves it open is counted as one that says bfloat16, whatever is chosen here.

    A recipe that says float32 keeps it.
    """
    recipe = load("smoke", ["device=auto", "dtype=auto"])
    asked, chosen = {"device": "auto", "dtype": "auto"}, asdict(Choices("cpu", here, "by hand"))
    folder = Workspace(tmp_path).run_folder(recipe.name)
    folder.mkdir(parents=True)
    write_json(folder / "choices.json", {"asked": asked, "chosen": chosen})
    by_name = {
        name: preview(load("smoke", [f"dtype={name}"]), tmp_path, accelerated=True).stages
        for name in ("float32", "bfloat16")
    }
    found = preview(recipe, tmp_path, accelerated=True).stages
    assert found == by_name["bfloat16"] != by_name["float32"]
    asked_here = preview(load("smoke", [f"dtype={here}"]), tmp_path).stages
    assert preview(recipe, tmp_path).stages == asked_here
