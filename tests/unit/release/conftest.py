"""A small checkpoint folder and a bundle about it, for the tests of bundle and catalog."""

from pathlib import Path

import pytest

from pellucid.recipe.release import ReleaseOptions
from pellucid.release import Bundle, Link, content_hash, decide, hash_policy, write_bundle
from pellucid.schema.report import Metric

ACCURACY = "eval.long.charts.auto.all.accuracy"


class Maker:
    """Makes checkpoints and evidence below one folder."""

    lineage = {"data.charts": Link("k1", "c1"), "train.long": Link("k2", "c2")}

    def __init__(self, root: Path) -> None:
        self.root = root

    def checkpoint(self, name: str = "checkpoint", weights: bytes = b"weights") -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        return folder

    def bundle(self, about: Path, at_least: float = 0.4) -> Bundle:
        """A PASS for a floor up to 0.45, a FAIL above 0.55."""
        floor = {
            "kind": "floor",
            "metric": "eval.final.charts.auto.all.accuracy",
            "at_least": at_least,
        }
        options = ReleaseOptions.model_validate({"model": "tiny", "checks": {"floor": floor}})
        metric = Metric(ACCURACY, 0.5, 0.45, 0.55, 200, 200, 0, 0, "wilson", 7)
        unread = Metric("eval.long.charts.auto.all.tokens", 9.0, 8.0, 10.0, 200, 200, 0, 0, "t", 7)
        metrics = {metric.id: metric, unread.id: unread}
        verdict = decide(options, metrics, {}, hash_policy(options), "long")
        return Bundle(verdict, options, metrics, {}, self.lineage, content_hash(about), "long")

    def evidence(self, about: Path, at_least: float = 0.4) -> tuple[Path, Bundle]:
        """A bundle and the folder that it was written to."""
        told = self.bundle(about, at_least)
        folder = self.root / f"evidence-{about.name}-{at_least}"
        write_bundle(folder, told)
        return folder, told


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "run")
