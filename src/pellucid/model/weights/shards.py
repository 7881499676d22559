"""Weights in safetensors files, one or several with an index, read one tensor at a time."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pellucid.base.errors import Problem, UserError, boundary

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


@final
class Shards(Mapping[str, Tensor]):
    """The tensors of a folder by name; each is read when it is asked for.

    Args:
        folder: holds `model.safetensors`, or shards and their index.

    Raises:
        UserError: there are no weights, or a file is damaged; pickled weights are not read.
        DiskError: a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, Path] = {}
        """File of each tensor."""
        for path in _paths(folder):
            with boundary("reading the weights"):
                for name in _names(path):
                    if name in self._files:
                        raise _damaged(path, f"{name} is in {self._files[name].name} too")
                    self._files[name] = path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in order."""
        return tuple(dict.fromkeys(self._files.values()))

    def of(self, path: Path) -> list[str]:
        """Names of the tensors of one file."""
        return [name for name, file in self._files.items() if file == path]

    def __getitem__(self, name: str) -> Tensor:
        path = self._files[name]
        try:
            with boundary("reading the weights"), safe_open(path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(name)
                return tensor
        except SafetensorError as error:
            raise _damaged(path, str(error)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _paths(folder: Path) -> list[Path]:
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        rule, fix = f"has neither {WHOLE} nor {INDEX}", "convert its weights to safetensors"
        raise UserError(Problem("checkpoint", str(folder), rule, fix))
    with boundary("reading the weights"):
        source = (folder / INDEX).read_bytes()
    try:
        names = sorted(set(json.loads(source)["weight_map"].values()))
        plain = [name for name in names if Path(name).name == name and name != ".."]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder / INDEX, f"{type(error).__name__}: {error}") from error
    if plain != names or not names:
        raise _damaged(folder / INDEX, "its weight_map names no files beside it")
    with boundary("reading the weights"):
        missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        rule = f"lacks {', '.join(missing[:3])}, which its index names"
        raise UserError(Problem("checkpoint", str(folder), rule, "fetch the folder again"))
    return [folder / name for name in names]


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> UserError:
    rule = f"is no file of weights: {reason}"
    return UserError(Problem(str(path), path.name, rule, "fetch or make it anew"))
