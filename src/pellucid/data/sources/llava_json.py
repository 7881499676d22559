"""A LLaVA-style JSON or JSONL file beside its images."""

from pathlib import Path

from pellucid.base.errors import boundary
from pellucid.base.hashing import hash_file, hash_json
from pellucid.base.paths import resolve
from pellucid.data.jsonrows import read_rows
from pellucid.data.rows import Rows, build_rows, image_folder, image_hashes
from pellucid.recipe.data import LlavaJsonSource
from pellucid.schema.record import LineageStep

VERSION = 1


def version(options: LlavaJsonSource) -> int:
    """The importer's version."""
    return VERSION


def input_hashes(options: LlavaJsonSource) -> dict[str, str]:
    """SHA-256 of the file and of every image that a sound row names.

    Raises:
        UserError: the file cannot be read, or (unless faulty rows are dropped) rows are faulty.
    """
    path = resolve(options.path)
    images = image_hashes(options, rows_of(options))
    with boundary("reading the dataset"):
        return {path.name: hash_file(path), **images}


def build(name: str, options: LlavaJsonSource, seed: int, folder: Path) -> None:
    """Import the file into a store; a killed build goes on.

    Raises:
        UserError: the file cannot be read, rows are faulty, or no row is left.
    """
    build_rows(name, options, rows_of(options), seed, folder)


def rows_of(options: LlavaJsonSource) -> Rows:
    """The rows of the file, not yet checked.

    Raises:
        UserError: the file cannot be read.
    """
    # Paths are left out of the step's parameters: the file is named by its content.
    path = resolve(options.path)
    images = image_folder(options, path)
    values = read_rows(path)
    params = options.model_dump(mode="json", exclude={"path", "image_folder"})
    parent = f"sha256:{hash_file(path)}"
    step = LineageStep("import.llava_json", VERSION, hash_json(params), (parent,))
    return Rows(path.name, images, values, step)
