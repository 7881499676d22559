"""Scene generators, one family per file."""

from pellucid.data.synth import (
    charts,
    documents,
    geometry,
    lists,
    pages,
    safety,
    screens,
    shapes,
    sums,
)
from pellucid.data.synth.base import Ask, Family, Item, Picture, Scene

FAMILIES: dict[str, Family] = {
    "charts": Family(charts.VERSION, charts.draw, charts.FROM_CAPTION, charts.FROM_BOXES),
    "documents": Family(
        documents.VERSION,
        documents.draw,
        from_caption=frozenset(
            "read heading name nth count pair total difference change change_all dialogue".split()
        ),
        from_boxes=frozenset(("locate",)),
    ),
    "geometry": Family(geometry.VERSION, geometry.draw, geometry.FROM_CAPTION, geometry.FROM_BOXES),
    "lists": Family(lists.VERSION, lists.draw, domain="perception"),
    "pages": Family(pages.VERSION, pages.draw, domain="perception"),
    "safety": Family(safety.VERSION, safety.draw, domain="safety"),
    "screens": Family(screens.VERSION, screens.draw, screens.FROM_CAPTION, screens.FROM_BOXES),
    "shapes": Family(shapes.VERSION, shapes.draw, shapes.FROM_CAPTION, shapes.FROM_BOXES),
    "sums": Family(sums.VERSION, sums.draw, domain="arithmetic"),
}
"""By the `kind` of the scene's options."""

__all__ = ["FAMILIES", "Ask", "Family", "Item", "Picture", "Scene"]
