"""Rows from a function of the user's: any format that a few lines of Python can read.

    def rows(inputs):
        for line in csv.DictReader(inputs[0].read_text("utf-8").splitlines()):
            yield {"image": line["file"], "conversations": [
                {"from": "human", "value": line["question"]},
                {"from": "gpt", "value": line["answer"]},
            ]}

The function is called with the options of the source and gives LLaVA-style rows. Files that it
reads are named in `inputs`, so that a changed file is imported anew. Leaves out on purpose:
streams that do not fit into memory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.base.errors import PellucidError, Problem, UserError, boundary
from pellucid.base.hashing import hash_file, hash_json
from pellucid.base.own import code_hash, own_code, split
from pellucid.base.paths import resolve
from pellucid.data.rows import Rows, build_rows, image_folder, image_hashes
from pellucid.recipe.data import PythonSource
from pellucid.schema.record import LineageStep

VERSION = 1
_FIELD = "data.sources.*.path"


def version(options: PythonSource) -> int:
    """The version of this hand-over; the function's own is the hash of its file."""
    return VERSION


def input_hashes(options: PythonSource) -> dict[str, str]:
    """SHA-256 of the code, of the files that it reads, and of every image that a row names.

    Raises:
        UserError: the function or a file is not there, or rows are faulty.
    """
    images = image_hashes(options, rows_of(options))
    return {**_hashes(options), **{f"image:{name}": found for name, found in images.items()}}


def build(name: str, options: PythonSource, seed: int, folder: Path) -> None:
    """Import what the function gives into a store; a killed build goes on.

    Raises:
        UserError: the function is not there or raises, rows are faulty, or none is left.
    """
    build_rows(name, options, rows_of(options), seed, folder)


def _hashes(options: PythonSource) -> dict[str, str]:
    """Of the code, and of the inputs by their place in the list: the function sees their order."""
    path, function = split(_FIELD, options.path)
    with boundary("reading the inputs of a source"):
        inputs = {
            f"inputs.{at}:{Path(name).name}": hash_file(resolve(name))
            for at, name in enumerate(options.inputs)
        }
    return {f"{path.name}:{function}": code_hash(_FIELD, options.path), **inputs}


def rows_of(options: PythonSource) -> Rows:
    """The rows that the function gives, not yet checked.

    Raises:
        UserError: the function or a file is not there, or it raises.
    """
    path, function = split(_FIELD, options.path)
    params = options.model_dump(mode="json", exclude={"path", "image_folder", "inputs"})
    parents = tuple(f"sha256:{found}" for found in _hashes(options).values())
    step = LineageStep("import.python", VERSION, hash_json(params), parents)
    return Rows(f"{path.name}:{function}", image_folder(options, path), _call(options), step)


def _call(options: PythonSource) -> list[object]:
    """Every row; an error of the function is the user's, with how far it came."""
    function = own_code(_FIELD, options.path).function
    arguments: Mapping[str, Any] = {**options.options, **_inputs(options)}
    rows: list[object] = []
    try:
        rows.extend(function(**arguments))
    except PellucidError:
        raise
    except Exception as error:
        rule = f"raised {type(error).__name__} after {len(rows)} rows: {error}"
        raise UserError(Problem(_FIELD, options.path, rule, "mend the function")) from error
    if not rows:
        raise UserError(Problem(_FIELD, options.path, "gave no row", "mend the function"))
    return rows


def _inputs(options: PythonSource) -> dict[str, Any]:
    """`inputs` are handed over as a list of paths, where there are any."""
    return {"inputs": [resolve(name) for name in options.inputs]} if options.inputs else {}
