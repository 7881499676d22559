"""The names that a recipe's gate may read are those that an evaluation measures."""

from pellucid.eval.metrics import MEASURES
from pellucid.schema.report import METRIC_NAMES

OF_GROUPS = {"gain", "regret", "tokens_p50", "tokens_p95", "thinking_share"}
"""Measured over several rows at once, by `eval.modes` and `eval.cost`."""


def test_names_are_those_that_are_measured() -> None:
    assert set(METRIC_NAMES) == set(MEASURES) | OF_GROUPS
