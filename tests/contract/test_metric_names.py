"""The names that a recipe's gate may read are those that an evaluation measures."""

from pellucid.eval.metrics import MEASURES
from pellucid.schema.report import MEANS, METRIC_NAMES, OF_MODES, OF_POOLS

OF_GROUPS = {*OF_MODES, *OF_POOLS, "tokens_p50", "tokens_p95", "thinking_share"}
"""Measured over several rows at once, by `eval.modes`, `eval.pools` and `eval.cost`."""


def test_names_are_those_that_are_measured() -> None:
    assert set(MEANS) == set(MEASURES)
    assert set(METRIC_NAMES) == set(MEASURES) | OF_GROUPS
