"""Scene generators, one family per file."""

from pellucid.data.synth import charts, documents, geometry, screens, shapes
from pellucid.data.synth.base import Ask, Family, Item, Picture, Scene

FAMILIES: dict[str, Family] = {
    "charts": Family(charts.VERSION, charts.draw),
    "documents": Family(documents.VERSION, documents.draw),
    "geometry": Family(geometry.VERSION, geometry.draw),
    "screens": Family(screens.VERSION, screens.draw),
    "shapes": Family(shapes.VERSION, shapes.draw),
}
"""By the `kind` of the scene's options."""

__all__ = ["FAMILIES", "Ask", "Family", "Item", "Picture", "Scene"]
