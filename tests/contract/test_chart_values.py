"""Where a chart's values stand: above the bars, or some of them inside."""

from pellucid.data.synth import FAMILIES
from pellucid.recipe.data import ChartsScene


def inside(share: float) -> list[bool]:
    """For each bar of 40 charts, whether its value starts below the top of the bar."""
    scenes = (FAMILIES["charts"].draw(ChartsScene(on_bar=share), seed) for seed in range(40))
    bars = [bar for scene in scenes for bar in scene.facts["bars"]]
    return [bar["value_box"][1] >= bar["box"][1] for bar in bars]


def test_values_stand_above_their_bars_when_no_chart_may_hold_them_inside() -> None:
    assert not any(inside(0))
    assert 0 < sum(inside(0.5)) < sum(inside(1))
