"""The tour leads to files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_tour_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`([a-z_./-]+/(?:[\w.-]+\.(?:py|yaml))?)`", text)
    named = [name for name in named if "x.py" not in name]
    assert len(named) > 20
    src = ROOT / "src" / "pellucid"
    assert [name for name in named if not ((src / name).exists() or (ROOT / name).exists())] == []
