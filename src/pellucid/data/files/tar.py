"""Samples of WebDataset tars: neighbouring members with one key make a row.

`0001.json` is the row; pictures beside it (`0001.jpg`, `0001.left.png`) are its images in the order
in which they lie there, named by their part after the key. Without a `.json`, the member's texts
become fields by their ending (`0001.txt` is `txt`). Nothing is unpacked to disk.
"""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError
from pellucid.data.files.base import Given
from pellucid.data.files.json_ import decode
from pellucid.data.llava import RowFault

PICTURES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
"""Endings of members that are pictures."""


def samples(path: Path) -> Iterator[Given]:
    """One row for each key, in the tar's order.

    Raises:
        UserError: the tar is damaged, or a key comes back after another one.
    """
    size = max(path.stat().st_size, 1)
    try:
        with tarfile.open(path, "r:*") as pack:
            key, members, at = "", dict[str, bytes](), 0.0
            gone = set[int]()
            for member in pack:
                if not member.isfile():
                    continue
                own, _, ending = _split(member.name)
                if members and own != key:
                    yield _row(key, members, at)
                    members = {}
                    gone.add(hash(key))
                    if hash(own) in gone:
                        raise _comes_back(path, own)
                file = pack.extractfile(member)
                assert file is not None, f"{member.name} is a file"
                key, at = own, min(member.offset_data / size, 1.0)
                members[ending] = file.read()
                pack.members = []  # type: ignore[attr-defined] # else it keeps every header
            _check_end(path, pack.offset)
            if members:
                yield _row(key, members, 1.0)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        told = " ".join(str(error).split())[:120]
        rule = f"is no tar that can be read: {told}"
        raise UserError(Problem("path", str(path), rule, "fetch or write it again")) from None


def _check_end(path: Path, offset: int) -> None:
    """Refuse a tar whose members end without the block of zeros that ends a whole one; a packed
    tar that is cut off does not unpack.

    Raises:
        UserError: it is cut off, or damaged between two members.
    """
    with path.open("rb") as file:
        packed = file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
        file.seek(offset)
        if not packed and file.read(512) != bytes(512):
            rule = f"is cut off or damaged at byte {offset}: it has no end mark there"
            raise UserError(Problem("path", str(path), rule, "fetch or write it again"))


def _comes_back(path: Path, key: str) -> UserError:
    rule = f"has the members of sample {key!r} in two places"
    return UserError(Problem("path", str(path), rule, "write the members of a sample together"))


def _split(name: str) -> tuple[str, str, str]:
    """Key and ending: the name up to the first dot of its last part, and what follows."""
    folder, slash, file = name.rpartition("/")
    stem, dot, ending = file.partition(".")
    return folder + slash + stem, dot, ending.lower()


def _row(key: str, members: dict[str, bytes], at: float) -> Given:
    pictures = {
        ending: data for ending, data in members.items() if ending.rpartition(".")[2] in PICTURES
    }
    try:
        value = _value(key, {name: data for name, data in members.items() if name not in pictures})
    except RowFault as fault:
        return Given(fault, at=at)
    except UnicodeDecodeError as error:
        return Given(RowFault(key, f"has a member that is no text: {error}", "mend it"), at=at)
    if isinstance(value, dict) and pictures and not {"image", "images"} & set(value):
        value["image"] = list(pictures)
    return Given(value, pictures, at)


def _value(key: str, texts: dict[str, bytes]) -> Any:
    """The row of a sample: its `.json`, or its texts by their ending."""
    if "json" in texts:
        value = decode(texts["json"].decode("utf-8"))
        return {"id": key, **value} if isinstance(value, dict) else value
    return {"id": key, **{name: data.decode("utf-8") for name, data in texts.items()}}
