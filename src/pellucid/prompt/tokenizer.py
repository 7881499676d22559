"""A tokenizer that loses nothing: BPE over characters with bytes for what it has not learnt, or
over bytes (as GPT-2's and Phi-4's).

Control strings that stand in text stay text; control tokens are only ever made by id. Ids become
text through bytes, so half a character at the end of a stream is held back and never guessed.

A tokenizer over bytes may compose characters first (Unicode's NFC, as Qwen's does): what comes back
is then the composed text. Leaves out on purpose: other kinds, and any other normalisation.
"""

import codecs
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_json
from pellucid.base.lookup import did_you_mean

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""Names of the byte entries in a vocabulary of characters."""


def _letters() -> dict[str, int]:
    """The letter that stands for each byte in a vocabulary of bytes, as GPT-2 chose them.

    A byte that prints as itself in Latin-1 does; the others take the letters from 256 on.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + at): byte for at, byte in enumerate(others)
    }


LETTERS = _letters()
"""Byte of each letter in a vocabulary of bytes."""

_BYTE_NAME = re.compile(r"<0x[0-9A-F]{2}>")


class Tokenizer:
    """Text to ids and back.

    Args:
        source: bytes of a `tokenizers` JSON file.
        name: what to call the file in messages.

    Raises:
        UserError: `source` is no BPE over bytes or with byte fallback.
    """

    def __init__(self, source: bytes, name: str = "tokenizer.json") -> None:
        tree = _tree(source, name)
        self.source = source
        self.hash = hash_json(tree)
        """Hash of the parsed file; layout does not count."""
        added = sorted(tree.get("added_tokens", ()), key=lambda token: int(token["id"]))
        special = {"added_tokens": [{**token, "special": True} for token in added]}
        self._core = _core({**tree, **special}, name)
        self._core.encode_special_tokens = True  # which spares the special ones alone
        self._core.no_truncation()
        self._core.no_padding()
        self._controls: dict[str, int] = {token["content"]: token["id"] for token in added}
        longest_first = sorted(map(re.escape, self._controls), key=len, reverse=True)
        self._split = re.compile(f"({'|'.join(longest_first)})" if longest_first else "($^)")
        self.controls = tuple(self._controls)
        """The control strings, by id."""
        self._control_ids = frozenset(self._controls.values())
        bytes_of = _bytes_of if tree["model"].get("byte_fallback") else _bytes_of_letters
        self._pieces = {id_: bytes_of(entry) for entry, id_ in tree["model"]["vocab"].items()}
        self._pieces |= {id_: entry.encode() for entry, id_ in self._controls.items()}
        self.size = max(self._pieces) + 1
        """Number of ids."""

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a tokenizer file.

        Raises:
            DiskError: the file cannot be read.
            UserError: it is no BPE over bytes or with byte fallback.
        """
        with boundary("reading the tokenizer"):
            source = path.read_bytes()
        return cls(source, path.name)

    def with_controls(self, names: Sequence[str]) -> "Tokenizer":
        """The same with control strings added where it lacks them, at the ids after its last."""
        new = [name for name in dict.fromkeys(names) if name not in self._controls]
        if not new:
            return self
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        tree = json.loads(self.source)
        tree["added_tokens"] = [
            *tree.get("added_tokens", ()),
            *(
                {"id": self.size + at, "content": name, **plain, "special": True}
                for at, name in enumerate(new)
            ),
        ]
        return Tokenizer(json.dumps(tree, ensure_ascii=False).encode())

    def encode_text(self, text: str) -> list[int]:
        """Ids of plain text; never a control id, whatever the text says.

        Raises:
            UserError: the text holds half of a surrogate pair, which no byte string can carry.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                Problem(
                    "text", text[max(error.start - 20, 0) : error.end + 20],
                    "holds half of a surrogate pair", "remove that character",
                )
            ) from error  # fmt: skip
        ids: list[int] = self._core.encode(text, add_special_tokens=False).ids
        return ids

    def encode_own(self, text: str) -> list[int]:
        """Ids of text that belongs to the format: control strings in it are control tokens."""
        ids: list[int] = []
        for piece in self._split.split(text):
            control = self._controls.get(piece)
            ids += self.encode_text(piece) if control is None else [control]
        return ids

    def token_id(self, control: str) -> int:
        """Id of a control string.

        Raises:
            UserError: there is no such control string; the nearest is suggested.
        """
        if control in self._controls:
            return self._controls[control]
        fix = did_you_mean(control, self.controls)
        raise UserError(Problem("tokenizer", control, "is not a control token", fix))

    def knows(self, id_: int) -> bool:
        """Whether an id is in the vocabulary."""
        return id_ in self._pieces

    def is_control(self, id_: int) -> bool:
        """Whether an id is a control token."""
        return id_ in self._control_ids

    def piece(self, id_: int, keep_control: bool = True) -> bytes:
        """Bytes of one id; empty for unknown ids, and for control ids unless they are kept."""
        if not keep_control and id_ in self._control_ids:
            return b""
        return self._pieces.get(id_, b"")

    def decode(self, ids: Iterable[int], keep_control: bool = True) -> str:
        """Text of ids; bytes that are no UTF-8 become U+FFFD.

        Args:
            ids: any integers; unknown ones are left out.
            keep_control: spell control tokens out, rather than leave them out.
        """
        joined = b"".join(self.piece(id_, keep_control) for id_ in ids)
        return joined.decode("utf-8", "replace")


class Detokenizer:
    """Text of a stream of ids: the pieces joined equal `Tokenizer.decode` of all ids."""

    def __init__(self, tokenizer: Tokenizer, keep_control: bool = True) -> None:
        self._tokenizer, self._keep_control = tokenizer, keep_control
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id_: int) -> str:
        """Text that became certain with this id; empty in the middle of a character."""
        return self._decoder.decode(self._tokenizer.piece(id_, self._keep_control))

    def finish(self) -> str:
        """What is left at the end: U+FFFD for half a character, else nothing."""
        return self._decoder.decode(b"", final=True)


def _core(tree: dict[str, Any], name: str) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(tree))
    except Exception as error:  # the library raises nothing more special
        fix = "give a file written by the tokenizers library"
        raise UserError(Problem(name, "BPE", f"cannot be read: {error}", fix)) from error


def _tree(source: bytes, name: str) -> Any:
    try:
        tree = json.loads(source)
    except ValueError as error:
        fix = "give a file written by the tokenizers library"
        raise UserError(Problem(name, source, f"is not JSON ({error})", fix)) from error
    model = tree.get("model") if isinstance(tree, dict) else None
    model = model if isinstance(model, dict) else {}
    vocab = model.get("vocab")
    if isinstance(tree, dict) and not _named(tree.get("added_tokens", [])):
        rule = "are no list of control strings with different whole numbers as ids"
        fix = "give a file written by the tokenizers library"
        raise UserError(Problem(f"{name}: added_tokens", "...", rule, fix))
    if isinstance(tree, dict) and not _keeps_text(tree.get("normalizer"), model):
        rule = "changes text before it is cut, so that it cannot come back"
        raise UserError(Problem(f"{name}: normalizer", tree["normalizer"], rule, "remove it"))
    every = BYTES if model.get("byte_fallback") is True else LETTERS
    whole = isinstance(vocab, dict) and all(byte in vocab for byte in every)
    if isinstance(vocab, dict) and whole and every is LETTERS:
        whole = all(letter in LETTERS for entry in vocab for letter in entry)
    if model.get("type") != "BPE" or not whole or (every is LETTERS and not _by_letters(tree)):
        rule = "is not a BPE over bytes, or with byte fallback, and all 256 byte entries"
        raise UserError(
            Problem(name, model.get("type"), rule, "retrain it, or use asset:tokenizer")
        )
    return tree


def _named(added: Any) -> bool:
    """Whether added tokens have a text and an id each, and no id is given twice."""
    if not isinstance(added, list) or not all(isinstance(one, dict) for one in added):
        return False
    texts, ids = ([one.get(key) for one in added] for key in ("content", "id"))
    sound = all(type(id_) is int and id_ >= 0 for id_ in ids)
    return (
        sound
        and all(isinstance(text, str) and text for text in texts)
        and (len(set(ids)) == len(ids))
    )


def _keeps_text(normalizer: Any, model: dict[str, Any]) -> bool:
    """Whether what a normaliser does can be told from what comes back."""
    return not normalizer or bool(model.get("byte_fallback")) or normalizer == {"type": "NFC"}


def _by_letters(tree: dict[str, Any]) -> bool:
    """Whether text becomes letters of bytes before BPE, and letters become text after it."""
    step, decoder = (tree.get(name) or {} for name in ("pre_tokenizer", "decoder"))
    if not isinstance(step, dict) or not isinstance(decoder, dict):
        return False
    steps = [step, *step.get("pretokenizers", ())]
    return decoder.get("type") == "ByteLevel" and any(
        each.get("type") == "ByteLevel" and not each.get("add_prefix_space") for each in steps
    )


def _bytes_of(entry: str) -> bytes:
    """Bytes that a vocabulary entry stands for."""
    if _BYTE_NAME.fullmatch(entry):
        return bytes([int(entry[3:5], 16)])
    return entry.encode("utf-8")


def _bytes_of_letters(entry: str) -> bytes:
    """Bytes that an entry of a vocabulary of bytes stands for."""
    return bytes(LETTERS[letter] for letter in entry)
