"""What every signal of triage must keep: silence on sound data, an answer on any record."""

from pathlib import Path

import pytest

from pellucid import store as stores
from pellucid.data import build_source
from pellucid.data.synth import FAMILIES
from pellucid.data.triage import triage
from pellucid.data.triage.signals import SIGNALS
from pellucid.recipe.data import ScenesSource
from pellucid.recipe.triage import SampleOptions, SignalsOptions, TriageOptions
from pellucid.store import read_label


@pytest.mark.parametrize("family", FAMILIES)
def test_our_own_scenes_are_not_suspected(family: str, tmp_path: Path) -> None:
    told = {"kind": "scenes", "scene": {"kind": family}, "scenes": 8, "seed": 40}
    build_source(family, ScenesSource.model_validate(told), 1, tmp_path)
    options = TriageOptions(sample=SampleOptions(records=60))
    found = triage(stores.open(tmp_path), options)
    rows = read_label(tmp_path, "triage", 1).to_pylist()
    suspected = [
        (row["id"], signal["name"], signal["why"])
        for row in rows
        for signal in row["signals"]
        if signal["suspicion"]
    ]
    assert suspected == []
    assert all(report.decision.consequence == "keep" for report in found.reports)


def test_every_signal_has_a_version_and_options() -> None:
    assert list(SIGNALS) == list(SignalsOptions.model_fields)
    assert all(kind.version >= 1 for kind in SIGNALS.values())
