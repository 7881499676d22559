"""Publishing a store by name, and making one again: names, recipes and slices resolved."""

from collections.abc import Sequence
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.lookup import did_you_mean
from pellucid.base.paths import remove_tree
from pellucid.data import build_source
from pellucid.data.inputs import IMPORT, read_import
from pellucid.data.publishing.layout import read_publish
from pellucid.data.publishing.publish import Published, publish, slice_of
from pellucid.data.publishing.rebuild import Rebuilt, needs_sources, rebuild, rebuilt_before
from pellucid.flow.named import named, one_store
from pellucid.flow.workspace import read_artifact
from pellucid.recipe import load_sources, to_yaml
from pellucid.schema.artifact import MANIFEST
from pellucid.store.pixels import EXTENSIONS

_PICTURES = {f".{ending}" for ending in (*EXTENSIONS.values(), "jpeg", "tiff")}
_HEAD = """\
# What makes this store: the part of its recipe. Give the paths, then
#   pellucid data rebuild FOLDER --from FOLDER/recipe.yaml --to WHOLE
"""


def publish_named(home: Path, reference: str, to: Path, allow: Sequence[str]) -> Published:
    """Publish what licences allow of one store.

    Raises:
        UserError: there is no such store, several, or no record has an allowed licence.
        DiskError: the disk refused.
    """
    name, folder = one_store(home, reference)
    recipe = None
    if (folder / MANIFEST).is_file():
        told = read_artifact(folder).manifest
        name = told.name.removeprefix("data.")
        recipe = _recipe(name, told.slice)
    elif (folder / IMPORT).is_file():
        recipe = _recipe(name, read_import(folder))
    return publish(name, folder, to, allow, recipe)


def rebuild_named(home: Path, folder: Path, sources: Sequence[str], to: Path) -> Rebuilt:
    """Make a published store whole.

    Args:
        home: the workspace.
        folder: what `publish_named` made.
        sources: recipes (`.yaml`, or a shipped one) whose source of the store's name is built
            beside `to`; or stores, as `named` takes them.
        to: the folder to make.

    Raises:
        UserError: something is named that is not there, or nothing is named and rows are withheld.
        DiskError: the disk refused.
    """
    made = to.with_name(f".{to.name}.sources")
    made_before = rebuilt_before(folder, to)
    if made_before:
        remove_tree(made)  # a call that was killed may not have come to it
        return made_before
    name = read_publish(folder)["name"]
    if not sources and needs_sources(folder):
        rule, fix = "has withheld rows", "say where they are: --from RECIPE or --from STORE"
        raise UserError(Problem("folder", str(folder), rule, fix))
    local: list[Path] = []
    for number, one in enumerate(sources):
        if one.endswith((".yaml", ".yml")):
            local.append(_built(name, one, made / str(number)))
        else:
            local += named(home, one).values()
    done = rebuild(folder, local, to)
    remove_tree(made)
    return done


def _built(name: str, recipe: str, folder: Path) -> Path:
    """The store that a recipe makes; a killed build goes on."""
    found = load_sources(recipe)
    if name not in found.sources:
        fix = did_you_mean(name, found.sources)
        raise UserError(Problem("--from", recipe, f"has no source {name}", fix))
    build_source(name, found.sources[name], found.seed, folder)
    return folder


def _recipe(name: str, told: object) -> str:
    """The recipe's part as YAML, with the files that it reads and their hashes."""
    assert isinstance(told, dict)
    pictures = {file for file in told["inputs"] if Path(file).suffix.lower() in _PICTURES}
    lines = [
        f"#   {file}  sha256 {sha256}\n"
        for file, sha256 in sorted(told["inputs"].items())
        if file not in pictures
    ]
    if pictures:
        lines.append(
            f"#   and {len(pictures)} pictures; say image_folder where they lie elsewhere\n"
        )
    files = "".join(["# It reads\n", *lines]) if lines else ""
    return _HEAD + files + to_yaml(slice_of(name, told))
