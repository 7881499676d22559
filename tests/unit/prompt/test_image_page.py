"""docs/image-strategies.md: what it says can be written in a recipe, and its numbers are those of
`benchmarks/images.py`.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from pellucid.prompt.plan import PLANNERS
from pellucid.recipe.model import NewImageOptions

HOME = Path(__file__).resolve().parents[3]
PAGE = (HOME / "docs" / "image-strategies.md").read_text(encoding="utf-8")


def test_every_strategy_stands_there_with_its_defaults_where_it_has_a_row() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    options = TypeAdapter(NewImageOptions)
    told = {name: options.validate_python(value) for name, value in yaml.safe_load(block).items()}
    # One comes with a checkpoint alone; a user's own has a page of its own.
    assert {one.kind for one in told.values()} == set(PLANNERS) - {"qwen2_vl", "python"}
    assert all(f"| `{kind}` |" in PAGE for kind in PLANNERS)
    for name in ("dynamic_s2", "multi_crop", "multi_crop_s2", "s2", "siglip2"):
        assert told[name] == options.validate_python({"kind": name}), name


def test_the_numbers_are_those_of_the_benchmark() -> None:
    script = HOME / "benchmarks" / "images.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    _, means = printed.stdout.split("mean of the sizes")
    rows = re.findall(r"^(.+?) {2,}(\d+) +([\d.]+) +(\d+) +[\d.]+$", means, re.MULTILINE)
    assert len(rows) == 6
    for name, *numbers in rows:
        name = name.removesuffix(" (beside the table)")
        assert f"| {name} | {' | '.join(numbers)} |" in PAGE
