"""A recipe whose sources cannot do what it says is refused before anything is drawn."""

import pytest

from pellucid.base.errors import UserError
from pellucid.recipe import load


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("charts.scene.min_bars=7", r"charts\.scene\.min_bars=7 exceeds .*max_bars=5"),
        ("charts.scene.max_value=4", "max_value"),
        ("charts.scene.max_bars=8", None),
        ("shapes.scene.min_shapes=8", r"min_shapes=8 exceeds .*max_shapes=6"),
        ("shapes.scene.min_side_px=400", r"min_side_px=400 exceeds .*max_side_px=160"),
        ("charts.scene={kind: screens, min_controls: 7}", r"min_controls=7 exceeds .*=6"),
        ("charts.scene={kind: documents, min_lines: 7}", r"min_lines=7 exceeds .*=6"),
        (
            "charts.scene={kind: safety, document: {min_lines: 4, max_lines: 3}}",
            r"document\.min_lines=4 exceeds .*=3",
        ),
        ("charts.scene={kind: geometry, max_figures: 2, min_figures: 3}", r"exceeds .*=2"),
        (
            "shapes.scene={kind: shapes, on_grid: true, max_side_px: 170}",
            r"max_side_px=170 is not a multiple of 16, as .*on_grid asks",
        ),
        ("charts.split={validation: 0.5, test: 0.5}", "leaves nothing to train on"),
        ("charts.scene={kind: charts, max_value: 5, max_bars: 8}", "fewer values than .* bars"),
    ],
)
def test_sources_that_cannot_be(change: str, says: str | None) -> None:
    sets = [f"data.sources.{change}"]
    if says is None:
        load("smoke", sets)
        return
    with pytest.raises(UserError, match=says):
        load("smoke", sets)
