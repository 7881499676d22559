"""Which pictures a model learnt from, as a small file that travels with its weights.

    trained_on.bin    the first 6 bytes of each picture's pixel hash, sorted, each once

With 100,000 pictures inside, a new one is taken for a known one once in three thousand million.
Leaves out on purpose: questions and answers; a picture that was seen at all is not unseen.
"""

from collections.abc import Iterable
from pathlib import Path

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.paths import write_bytes

TRAINED_ON = "trained_on.bin"
"""Name of the file, beside the weights."""

PREFIX_BYTES = 6


def prefix(pixel_sha256: str) -> str:
    """What is kept of a pixel hash (`Store.pixel_hash`): its first 12 hex digits.

    >>> prefix("00ff" * 16)
    '00ff00ff00ff'
    """
    return pixel_sha256[: 2 * PREFIX_BYTES]


def write_digest(path: Path, hashes: Iterable[str]) -> None:
    """Write the file atomically.

    Args:
        path: where it goes.
        hashes: pixel hashes or what `read_digest` gave, in any order and number.
    """
    with boundary("writing the digest"):
        write_bytes(path, b"".join(sorted({bytes.fromhex(prefix(pixels)) for pixels in hashes})))


def read_digest(path: Path) -> frozenset[str]:
    """The prefixes in a file; ask for a picture with `prefix(pixel_hash) in found`.

    Raises:
        UserError: the file is not what `write_digest` writes.
        DiskError: it cannot be read.
    """
    with boundary("reading the digest"):
        data = path.read_bytes()
    found = [data[at : at + PREFIX_BYTES].hex() for at in range(0, len(data), PREFIX_BYTES)]
    if len(data) % PREFIX_BYTES or any(a >= b for a, b in zip(found, found[1:], strict=False)):
        rule = "is no sorted list of pixel hashes"
        raise UserError(Problem("digest", str(path), rule, "make it again beside the weights"))
    return frozenset(found)
