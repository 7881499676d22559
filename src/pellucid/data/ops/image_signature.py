"""What finds copies of a picture: codes of its local features and a small grey copy.

By codes a slightly cropped copy is found; by small copies most pairs that are not one are told
apart, and a picture need not be decoded for each comparison. Both are made of one decoding. The
pixel hash and the 256-bit perceptual hash are in the store's index already and are not made again.
Leaves out on purpose: vectors by a model (`image_embedding.py`); none is shipped.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pellucid.data.duplicates import keypoints, sieve
from pellucid.data.duplicates.pictures import grey
from pellucid.data.ops.base import Images, Over, Resources


@dataclass(frozen=True, slots=True)
class ImageSignature:
    """The operator; as `base.Operator`."""

    name: str = field(default="image_signature", init=False)
    version: int = field(default=2, init=False)
    over: Over = field(default="images", init=False)
    needs: tuple[str, ...] = field(default=("sha256",), init=False)
    needs_images: bool = field(default=True, init=False)
    resources: Resources = field(default=Resources(), init=False)

    @property
    def gives(self) -> pa.Schema:
        """`id` is the SHA-256 of the image, `pixels` are `sieve.SIDE` rows of grey bytes.

        The other columns are as `keypoints.KEYPOINT`.
        """
        return pa.schema(
            [
                ("id", pa.string()),
                ("pixels", pa.binary(sieve.SIDE**2)),
                ("code", pa.list_(pa.uint32())),
                ("x", pa.list_(pa.float32())),
                ("y", pa.list_(pa.float32())),
                ("size", pa.list_(pa.float32())),
            ]
        )

    @property
    def params(self) -> dict[str, Any]:
        """Nothing can be chosen; these are the versions of both parts."""
        return {"codes": keypoints.VERSION, "copy": sieve.COPY_VERSION}

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        """Codes and copies of the images of a shard's pack."""
        ids = table["sha256"].to_pylist()
        found, copies = list[np.ndarray](), list[bytes]()
        for sha256 in ids:
            picture = grey(images(sha256))
            found.append(keypoints.keypoints(picture))
            copies.append(sieve.small(picture).tobytes())
        ends = np.cumsum([0, *(len(one) for one in found)])
        every = np.concatenate(found) if found else np.empty(0, keypoints.KEYPOINT)
        columns = {
            name: pa.ListArray.from_arrays(
                pa.array(ends, pa.int32()), pa.array(np.ascontiguousarray(every[name]))
            )
            for name in ("code", "x", "y", "size")
        }
        small = pa.array(copies, pa.binary(sieve.SIDE**2))
        made = pa.table({"id": pa.array(ids, pa.string()), "pixels": small, **columns})
        return made.cast(self.gives)
