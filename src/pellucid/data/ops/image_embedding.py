"""An embedding of pictures of the user's own: a function in a file of theirs, asked in batches.

    def vectors(images):
        return MODEL.encode(images)

It is called with a list of up to `BATCH` upright RGB pictures of Pillow and gives a vector for
each, all of one length. Equal pictures must give equal vectors, whatever stands beside them: a
shard is done once, by whoever comes first. Left out on purpose: a model; none is shipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.base.own import FAILS, own_code, split, takes
from pellucid.data.duplicates.pictures import decoded
from pellucid.data.ops.base import Images, Over, Resources

FIELD = "--image-embedding"
BATCH = 16
"""Pictures of one call; a photo takes up to some 36 MB."""
_STEPS = 2.0**24
"""A number of a vector is a multiple of 1 / `_STEPS`. Then float32 holds it, and the sums of a
product in float64 are exact (49 of 53 bits), whatever their order."""


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """The operator; as `base.Operator`."""

    path: str
    """`file.py:function`."""
    code: str
    """SHA-256 of the file."""
    name: str = field(default="image_embedding", init=False)
    version: int = field(default=1, init=False)
    over: Over = field(default="images", init=False)
    needs: tuple[str, ...] = field(default=("sha256",), init=False)
    needs_images: bool = field(default=True, init=False)
    resources: Resources = field(default=Resources(), init=False)

    @property
    def gives(self) -> pa.Schema:
        """`id` is the SHA-256 of the image, `vector` as `checked` gives it."""
        return pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32()))])

    @property
    def params(self) -> dict[str, Any]:
        """The code, and which of its functions; not where the file lies."""
        return {"code": self.code, "function": self.path.rpartition(":")[2]}

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """The vectors of the images of a shard's pack.

        Raises:
            UserError: the file is another one now, or the function raises or gives no vectors.
        """
        code = own_code(FIELD, self.path)
        if code.hash != self.code:
            rule, fix = "was changed while its vectors were made", "run the command again"
            raise UserError(Problem(FIELD, self.path, rule, fix))
        ids = table["sha256"].to_pylist()
        made = [
            self._call(code.function, ids[at : at + BATCH], images)
            for at in range(0, len(ids), BATCH)
        ]
        lengths = [one.shape[1] for one in made for _ in one]
        if len(set(lengths)) > 1:
            raise self.problem(f"gave vectors of {min(lengths)} and of {max(lengths)} numbers")
        flat = np.concatenate([one.ravel() for one in made]) if made else np.zeros(0, np.float32)
        ends = pa.array(np.cumsum([0, *lengths]), pa.int32())
        vectors = pa.ListArray.from_arrays(ends, pa.array(flat, pa.float32()))
        return pa.table([pa.array(ids, pa.string()), vectors], schema=self.gives)

    def problem(self, rule: str) -> UserError:
        """What the function does wrong."""
        return UserError(Problem(FIELD, self.path, rule[:400], "mend the function"))

    def _call(self, function: Callable[..., Any], ids: list[str], images: Images) -> np.ndarray:
        try:
            return checked(function([decoded(images(id)) for id in ids]), ids)
        except PellucidError:
            raise
        except Refused as error:
            rule = f"gave {error}"
        except FAILS as error:
            rule = f"raised {type(error).__name__}: {error}"
        raise self.problem(rule)


class Refused(ValueError):
    """What a function gave is not a vector for each picture."""


def image_embedding(where: str) -> ImageEmbedding:
    """The operator that a function makes.

    Args:
        where: `file.py:function`.

    Raises:
        UserError: there is no such file or function, or it takes no list of pictures.
    """
    code = own_code(FIELD, where)
    takes(FIELD, where, code, 1, {})
    path, function = split(FIELD, where)
    return ImageEmbedding(f"{path.resolve()}:{function}", code.hash)


def checked(said: Any, names: Sequence[str]) -> np.ndarray:
    """What a function gave for some pictures, as vectors of length one.

    Args:
        said: what it gave.
        names: of the pictures, for messages.

    Returns:
        (pictures, numbers) float32, each a multiple of 2^-24.

    Raises:
        Refused: it is something else; the text says what.
    """
    try:
        made = np.asarray(said)
    except (TypeError, ValueError) as error:
        raise Refused(f"no array of numbers: {error}") from error
    if made.dtype.kind not in "fiub":
        raise Refused(f"an array of {made.dtype}, wanted float32 or another type of numbers")
    if made.ndim != 2 or len(made) != len(names) or not made.shape[1]:
        raise Refused(
            f"an array of shape {made.shape} for {len(names)} pictures, wanted a row each"
        )
    made = made.astype(np.float64)
    largest = np.abs(made).max(axis=1, keepdims=True)
    for wrong, what in (
        (~np.isfinite(largest), "a number that is not finite"),
        (largest == 0, "a vector of zeros, which has no direction,"),
    ):
        if wrong.any():
            raise Refused(f"{what} for picture {names[int(np.argmax(wrong))]}")
    made /= largest  # a square of what is very large or small would be lost
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    unit: np.ndarray = (np.rint(made * _STEPS) / _STEPS).astype(np.float32)
    return unit
