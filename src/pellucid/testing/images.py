"""Check of an image strategy."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PIL import Image

from pellucid.base.own import FAILS
from pellucid.prompt.plan.own import checked
from pellucid.testing.base import Function, called_by, refuse

SIDES = (1, 2, 15, 16, 17, 31, 100, 224, 336, 640, 1001, 1920, 4096, 8192)
"""Sides of images, in pixels; every pair of them is tried."""
_CUT = 640
"""Longest side of images whose parts are cut."""


def check_images(
    function: Function, *, max_tokens: int, patch_px: int = 16, **options: Any
) -> dict[tuple[int, int], int]:
    """An image strategy `(width, height, patch_px, **options)` gives parts within its budget.

    Images of many sizes, from one pixel to 8192 a side; each is asked about twice, and parts of the
    smaller ones are cut.

    Args:
        function: what is checked.
        max_tokens: as in the recipe.
        patch_px: patch side in pixels, as in `model.vision`.
        options: keyword arguments of the function.

    Returns:
        Tokens by size (width, height).

    Raises:
        AssertionError: it does not; all faults are listed.
        UserError: there is no such function.
    """
    called = called_by(function)
    found, faults = sized(called, _sizes(), max_tokens, patch_px, options)
    refuse(called, faults)
    return found


def sized(
    called: Callable[..., Any],
    sizes: Iterable[tuple[int, int]],
    max_tokens: int,
    patch_px: int,
    options: Mapping[str, Any],
) -> tuple[dict[tuple[int, int], int], list[str]]:
    """Tokens of images by their size (width, height), and what is wrong.

    Args:
        called: the strategy.
        sizes: of the images; each is asked about twice.
        max_tokens: as in the recipe.
        patch_px: patch side in pixels.
        options: keyword arguments of the strategy.
    """
    found, faults = dict[tuple[int, int], int](), list[str]()
    for width, height in sizes:
        try:
            said = [called(width, height, patch_px, **options) for _ in range(2)]
            one, two = (checked(each, max_tokens, patch_px, width, height) for each in said)
            if max(width, height) <= _CUT:
                picture = Image.new("RGB", (width, height))
                for part in one:
                    picture.resize((part.width, part.height), box=part.box)
        except ValueError as error:
            faults.append(f"{width}x{height}: {error}"[:200])
            continue
        except FAILS as error:
            faults.append(f"{width}x{height}: raised {type(error).__name__}: {error}"[:200])
            continue
        if one != two:
            faults.append(f"{width}x{height}: other parts when asked again")
        found[width, height] = sum(part.width * part.height for part in one) // patch_px**2
    return found, faults


def _sizes() -> Iterable[tuple[int, int]]:
    return ((width, height) for width in SIDES for height in SIDES)
