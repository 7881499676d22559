"""The benchmark against other curation tools compares what is comparable."""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pellucid.data.statistics.measure import COUNTS, SHARES

HOME = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def curation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HOME))
    return import_module("curation")


def test_every_bound_of_a_peer_is_on_a_column_of_ours(curation: ModuleType) -> None:
    rules = json.loads((HOME / "curation_rules.json").read_text("utf-8"))
    juicer, gopher = curation.juicer_bounds(), curation.gopher_bounds()
    assert {*juicer, *gopher} <= {*COUNTS, *SHARES}
    assert len(juicer) == len(rules["juicer"])
    quality = {"words", "mean_word_length", "letter_word_share", "hashes", "ellipses"}
    assert quality <= set(gopher) and len(gopher) == 20


def test_copies_differ_in_one_word(curation: ModuleType) -> None:
    made, pairs = curation.texts(200, 0)
    assert len(pairs) == 20
    for source, copy in pairs:
        a, b = made[source].split(" "), made[copy].split(" ")
        assert sum(x != y for x, y in zip(a, b, strict=True)) <= 1
