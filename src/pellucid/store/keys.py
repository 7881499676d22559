"""Ids and hashes of whole columns as numbers, so that they can be sorted and looked up.

A fingerprint narrows a search; whoever finds a row by it compares the id itself.
"""

import hashlib

import numpy as np
import pyarrow as pa

_BYTES = 64
"""Of an id that are looked at; ids are 64 hex digits."""
_FACTOR = 0x9E3779B97F4A7C15
_SHIFT = 29
_MASK = 2**64 - 1
_HEX = set("0123456789abcdef")
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def fingerprints(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(ids,) uint64, spread evenly; equal for equal ids.

    Args:
        ids: texts, none of them null.
    """
    padded = np.zeros((len(ids), _BYTES), np.uint8)
    held = _letters(ids)
    if held is None:
        told = [one.encode("utf-8", "surrogatepass")[:_BYTES] for one in ids.to_pylist()]
        padded = np.array(told, f"S{_BYTES}").view(np.uint8).reshape(-1, _BYTES)
    else:
        padded[:, : held.shape[1]] = held[:, :_BYTES]
    mixed = np.zeros(len(ids), np.uint64)
    for word in padded.view("<u8").T:
        mixed = (mixed ^ word) * np.uint64(_FACTOR)
        mixed ^= mixed >> np.uint64(_SHIFT)
    return mixed


def fingerprint(id: str) -> int:
    """The number that `fingerprints` gives for one id.

    >>> fingerprint("a") == int(fingerprints(pa.array(["a"]))[0])
    True
    """
    data = id.encode("utf-8", "surrogatepass")[:_BYTES].ljust(_BYTES, b"\0")
    mixed = 0
    for at in range(0, _BYTES, 8):
        mixed = (mixed ^ int.from_bytes(data[at : at + 8], "little")) * _FACTOR & _MASK
        mixed ^= mixed >> _SHIFT
    return mixed


def words_of(hashes: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(hashes, 4) uint64: SHA-256 given in hex, in the order of their texts.

    Raises:
        ValueError: one is no SHA-256.
    """
    held = _letters(hashes)
    if not len(hashes):
        return np.zeros((0, 4), np.uint64)
    if held is None or held.shape[1] != 64:
        raise ValueError("a column of SHA-256 holds something else")
    nibbles = _NIBBLES[held]
    if nibbles.max() > 15:
        raise ValueError("a column of SHA-256 holds something else")
    data = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    words: np.ndarray = data.view(">u8").astype(np.uint64)
    return words


def digests(ids: pa.Array) -> np.ndarray:
    """(ids, 4) uint64: different for different texts, as far as hashes can be.

    Args:
        ids: texts, none of them null. Those in hex of at most 64 digits, as ids of records are,
            stand for themselves, and sort as their texts where these are equally long; any other is
            hashed.
    """
    held = _letters(ids)
    if held is None or held.shape[1] > 64 or held.shape[1] % 2 or _NIBBLES[held].max() > 15:
        data = b"".join(map(_digest, ids.to_pylist()))
        return np.frombuffer(data, ">u8").reshape(-1, 4).astype(np.uint64)
    nibbles = _NIBBLES[held]
    padded = np.full((len(held), 32), held.shape[1], np.uint8)
    padded[:, : held.shape[1] // 2] = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    words: np.ndarray = padded.view(">u8").astype(np.uint64)
    return words


def _digest(text: str) -> bytes:
    """The 32 bytes that `digests` gives for one text; shorter ones end with their length."""
    if len(text) <= 64 and len(text) % 2 == 0 and text and not set(text) - _HEX:
        return bytes.fromhex(text).ljust(32, bytes([len(text)]))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def hex_of(words: np.ndarray) -> str:
    """A hash in hex, from its four words."""
    return bytes(words.astype(">u8").tobytes()).hex()


def word_of(sha256: str) -> tuple[int, ...]:
    """The four words of one SHA-256 in hex; none for anything else.

    >>> word_of("00" * 31 + "ff"), word_of("no hash")
    ((0, 0, 0, 255), ())
    """
    if len(sha256) != 64 or set(sha256) - _HEX:
        return ()
    return tuple(int(sha256[at : at + 16], 16) for at in range(0, 64, 16))


def _letters(texts: pa.Array | pa.ChunkedArray) -> np.ndarray | None:
    """(texts, letters) uint8 where all are equally long; None where not."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    if not len(texts) or texts.null_count or not pa.types.is_string(texts.type):
        return None
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(starts)
    if not lengths[0] or (lengths != lengths[0]).any():
        return None
    letters = np.frombuffer(data, np.uint8)[starts[0] : starts[-1]]
    return letters.reshape(len(texts), int(lengths[0]))
