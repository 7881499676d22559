"""A strategy of the user's own: a function of an image's size that says which parts are seen.

    def halves(width, height, patch_px, side=8):
        middle = width // 2
        size = (side * patch_px, side * patch_px)
        return [((0, 0, middle, height), size), ((middle, 0, width, height), size)]

Each part is a view of its own, resized without regard to its shape; a patch is a token. The
function sees no pixels, so tokens are counted from headers alone. It must give the same parts each
time. A checkpoint keeps a copy of its file (`prompt.folder`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.base.own import FAILS, code_by_hash, own_code, shown, takes
from pellucid.prompt.plan.base import Plan, View
from pellucid.recipe.model import PythonImages

FIELD = "model.images.path"
FILE = "image_strategy.py"
"""Copy of the function's file in a checkpoint's folder."""


class Part(NamedTuple):
    """A part of an image, and what it is resized to."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels of the image."""
    width: int
    """Pixels after resizing, a multiple of the patch side."""
    height: int


def load(options: PythonImages) -> PythonImages:
    """The options of a recipe as a checkpoint holds them: with the hash of the file.

    Raises:
        UserError: there is no such file or function, it takes other arguments, or its file is
            another one than `sha256` says.
    """
    code = own_code(FIELD, options.path)
    takes("model.images.options", options.function, code, 3, options.options)
    if options.sha256 not in ("", code.hash):
        rule, fix = f"is not the hash of {options.path}", f"write {code.hash}, or leave it out"
        raise UserError(Problem("model.images.sha256", options.sha256, rule, fix))
    return options.model_copy(update={"path": f"{FILE}:{options.function}", "sha256": code.hash})


def own(options: PythonImages, patch_px: int, width: int, height: int) -> Plan:
    """The plan of an image; `Plan.width` and `Plan.height` are its own size.

    Raises:
        UserError: the function raises, or gives what is no list of parts.
    """
    found = parts(options, patch_px, width, height)
    views = tuple(View(part.height // patch_px, part.width // patch_px) for part in found)
    count = sum(view.rows * view.cols for view in views)
    return Plan(width, height, views, count, count)


@lru_cache(maxsize=65536)
def parts(options: PythonImages, patch_px: int, width: int, height: int) -> tuple[Part, ...]:
    """The parts of an image that are seen, in order.

    Raises:
        UserError: as `own`.
    """
    function = code_by_hash(FIELD, options.sha256, options.function)
    try:
        said = function(width, height, patch_px, **options.options)
        return checked(said, options.max_tokens, patch_px, width, height)
    except PellucidError:
        raise
    except _Refused as error:
        rule = f"gave {error} for an image of {width}x{height}"
    except FAILS as error:
        rule = f"raised {type(error).__name__} for an image of {width}x{height}: {error}"
    raise UserError(Problem(FIELD, options.function, rule[:400], "mend the function"))


class _Refused(ValueError):
    """What a function gave is no list of parts."""


def checked(said: Any, most: int, patch_px: int, width: int, height: int) -> tuple[Part, ...]:
    """What a function gave for an image, as parts.

    Raises:
        ValueError: it is something else; the text says what was wanted.
    """
    if isinstance(said, str) or not isinstance(said, Sequence) or not said:
        raise _Refused(f"{shown(said)}, wanted a list of parts")
    found = tuple(_part(one, patch_px, width, height) for one in said)
    count = sum(part.width * part.height for part in found) // patch_px**2
    if count > most:
        raise _Refused(f"{count} patches, more than max_tokens={most}")
    return found


def _part(said: Any, patch_px: int, width: int, height: int) -> Part:
    wanted = "wanted ((left, top, right, bottom), (width, height))"
    try:
        box, size = said
        left, top, right, bottom = map(float, box)
        wide, high = map(float, size)
    except (TypeError, ValueError):
        raise _Refused(f"{shown(said)}, {wanted}") from None
    # Written so that NaN is refused as well.
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise _Refused(f"the box {shown(box)}, which is empty or not within it")
    if not all(side >= 1 and side % patch_px == 0 for side in (wide, high)):
        raise _Refused(f"the size {shown(size)}, wanted whole patches of {patch_px} pixels")
    return Part((left, top, right, bottom), int(wide), int(high))
