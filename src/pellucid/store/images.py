"""Image packs: plain uncompressed tar files, read at an offset.

Any tar tool can read a pack; we never have to. Members are named `<sha256>.<ext>` and carry no
time, owner or group, so equal images in equal order give equal bytes.
"""

import os
import tarfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pellucid.base.paths import atomic

_BLOCK = 512
"""Bytes of a tar block; a header takes one, data is padded to whole ones."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an image's bytes lie."""

    path: Path
    offset: int
    length: int


def offsets(lengths: Sequence[int]) -> list[int]:
    """Where each member's data starts in a pack of members of these lengths, in bytes.

    >>> offsets([10, 600, 1])
    [512, 1536, 3072]
    """
    starts, at = [], 0
    for length in lengths:
        starts.append(at + _BLOCK)
        at += _BLOCK + -(-length // _BLOCK) * _BLOCK
    return starts


def write_pack(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a pack atomically.

    Args:
        path: the `.tar` file.
        members: name (under 100 characters) and bytes of each image.
    """
    with atomic(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as pack:
            for name, data in members:
                header = tarfile.TarInfo(name)
                header.size = len(data)
                pack.addfile(header, BytesIO(data))


def copy_members(source: Path, target: Path, sha256s: Collection[str]) -> None:
    """Write a pack that holds some of another pack's images, in that pack's order."""
    with tarfile.open(source, "r:") as pack:
        kept = [member for member in pack.getmembers() if member.name.split(".")[0] in sha256s]
        write_pack(target, ((member.name, _data(pack, member)) for member in kept))


def read_at(location: Location) -> bytes:
    """An image's bytes. No state is kept, so threads and forked workers may share a store."""
    handle = os.open(location.path, os.O_RDONLY)
    try:
        data = os.pread(handle, location.length, location.offset)
    finally:
        os.close(handle)
    assert len(data) == location.length, f"{location.path.name} ends inside an image"
    return data


def _data(pack: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = pack.extractfile(member)
    assert file is not None, f"{member.name} is not a file"
    return file.read()
