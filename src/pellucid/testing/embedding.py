"""Check of an embedding of pictures."""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pellucid import store as stores
from pellucid.base.own import FAILS
from pellucid.data.ops.image_embedding import BATCH, checked
from pellucid.testing.base import Function, called_by, refuse
from pellucid.testing.records import MOST, cases_of

_NEAR = 1e-3
"""Most that a vector of length one may change with what stands beside its picture."""
_SIZES = ((1, 1), (1, 300), (300, 1), (17, 31), (64, 64), (640, 480), (2000, 1500))


def check_image_embedding(function: Function, *, store: str | Path | None = None) -> int:
    """An embedding of pictures `(images)` gives one vector each, alone as beside others.

    Args:
        function: what is checked.
        store: a store's folder, whose first records' pictures it is called with; when absent,
            pictures of many sizes, from one pixel on, plain and with content.

    Returns:
        How many numbers a vector has.

    Raises:
        AssertionError: it does not; all faults are listed.
        UserError: there is no such function or store.
    """
    called = called_by(function)
    shown = iter(_made() if store is None else _of(store))
    faults, lengths = list[str](), set[int]()
    while some := dict(islice(shown, BATCH)):
        together, broken = _vectors(called, some)
        faults += broken
        for at, (name, image) in enumerate(some.items()):
            alone, wrong = _vectors(called, {name: image})
            faults += wrong
            if broken or wrong:
                continue
            lengths |= {alone.shape[1], together.shape[1]}
            if len(lengths) == 1 and np.abs(alone[0] - together[at]).max() > _NEAR:
                faults.append(f"{name}: another vector alone than beside others")
    if len(lengths) > 1:
        faults.append(f"vectors of {min(lengths)} and of {max(lengths)} numbers")
    refuse(called, faults)
    return max(lengths, default=0)


def _vectors(
    called: Callable[..., Any], shown: dict[str, Image.Image]
) -> tuple[np.ndarray, list[str]]:
    """Vectors of some pictures, or what is wrong with them."""
    what = next(iter(shown)) if len(shown) == 1 else f"{len(shown)} pictures"
    try:
        return checked(called([one.copy() for one in shown.values()]), list(shown)), []
    except ValueError as error:
        return np.zeros((0, 0)), [f"{what}: {error}"[:200]]
    except FAILS as error:
        return np.zeros((0, 0)), [f"{what}: raised {type(error).__name__}: {error}"[:200]]


def _made() -> Iterable[tuple[str, Image.Image]]:
    for width, height in _SIZES:
        for colour in ("white", "black", "red"):
            yield f"{width}x{height} {colour}", Image.new("RGB", (width, height), colour)
        ramp = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        yield f"{width}x{height} ramp", ramp


def _of(store: str | Path) -> Iterable[tuple[str, Image.Image]]:
    for name, _, images in cases_of(stores.open(Path(store)), MOST):
        for at, image in enumerate(images):
            yield f"{name}, picture {at}", image
