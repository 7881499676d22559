"""Image packs: plain uncompressed tar files, read at an offset.

Any tar tool can read a pack; we never have to. Members are named `<sha256>.<ext>` and carry no
time, owner or group, so equal images in equal order give equal bytes.
"""

import os
import tarfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.paths import atomic
from pellucid.store.pixels import Examined

_BLOCK = 512
"""Bytes of a tar block; a header takes one, data is padded to whole ones."""
_EMPTY = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
"""Header of a member without name and data."""
_NAME_BYTES = 100
"""Bytes of a member's name, at the start of its header."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an image's bytes lie."""

    path: Path
    offset: int
    length: int


def member(facts: Examined) -> str:
    """Name of an image in a pack."""
    return f"{facts.sha256}.{facts.extension}"


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
        fill_pack(temporary, members)


def fill_pack(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a pack in place, for a folder that is published whole."""
    size = 0
    with path.open("wb") as pack:
        for name, data in members:
            padding = -len(data) % _BLOCK
            pack.writelines((_header(name, len(data)), data, bytes(padding)))
            size += _BLOCK + len(data) + padding
        end = 2 * _BLOCK
        pack.write(bytes(end + -(size + end) % tarfile.RECORDSIZE))


def _header(name: str, length: int) -> bytes:
    """A member's header, as `tarfile` writes it and ten times as fast."""
    encoded = name.encode("ascii")
    assert len(encoded) < _NAME_BYTES and length < 8**11, "names and members of a pack are small"
    block = bytearray(_EMPTY)
    block[: len(encoded)] = encoded
    block[124:135] = b"%011o" % length
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def copy_members(source: Path, target: Path, sha256s: Collection[str]) -> None:
    """Write a pack that holds some of another pack's images, in that pack's order."""
    with tarfile.open(source, "r:") as pack:
        kept = [member for member in pack.getmembers() if member.name.split(".")[0] in sha256s]
        write_pack(target, ((member.name, _data(pack, member)) for member in kept))


def members(path: Path) -> list[tuple[str, Location]]:
    """SHA-256 and place of every image in a pack, in the pack's order; no pack, no images."""
    if not path.exists():
        return []
    with tarfile.open(path, "r:") as pack:
        return [
            (one.name.split(".")[0], Location(path, one.offset_data, one.size))
            for one in pack.getmembers()
        ]


def read_at(location: Location) -> bytes:
    """An image's bytes. No state is kept, so threads and forked workers may share a store.

    Raises:
        UserError: the pack is cut off.
    """
    data = read_there(location)
    if len(data) < location.length:
        raise cut_off(location.path)
    return data


def cut_off(path: Path) -> UserError:
    """What a pack is that ends before an image does."""
    rule, fix = "ends inside an image", "the store is damaged; make it again"
    return UserError(Problem("pack", str(path), rule, fix))


def read_there(location: Location) -> bytes:
    """The bytes that lie there; fewer where the pack ends early."""
    return _read(location.path, location.length, location.offset)


def member_name(location: Location) -> str:
    """Name of the member of a pack whose data lies here, as its header says."""
    header = _read(location.path, _NAME_BYTES, location.offset - _BLOCK)
    return header.split(b"\0")[0].decode("ascii", "replace")


def _read(path: Path, length: int, offset: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, length, offset)
    finally:
        os.close(handle)


def _data(pack: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = pack.extractfile(member)
    assert file is not None, f"{member.name} is not a file"
    return file.read()
