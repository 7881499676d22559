"""A folder to begin with: a first recipe of five lines, example rows, copies of shipped recipes.

Nothing that is there is overwritten. Leaves out on purpose: asking questions.
"""

import shutil
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.paths import ASSETS, write_text

FIRST = """\
# Your first recipe. It trains on the rows of rows.json on top of the backbone that comes with
# Pellucid, evaluates on the rows that it kept apart, and writes a report.
#
#   pellucid run recipe.yaml
#
# Everything that is not said here is said in recipes/finetune.yaml; a field that is given here
# replaces the one there. `pellucid recipe show recipe.yaml` prints the whole.
extends: recipes/finetune.yaml
name: mine
# The licence is that of the example rows; with rows of your own, write theirs.
data:
  sources:
    own: {path: rows.json, dataset: my-rows, licence: CC-BY-4.0 AND MIT}

# Fewer than fifty rows leave none to validate on: set train.stages.0.validation to null, or keep
# apart more of them with data.sources.own.split: {validation: 0.2, test: 0.2}.
#
# What people change next; take away the leading "# ".
# train:
#   stages:
#     - name: sft
#       mix: own
#       # Without `vision` the tower is frozen. A new domain of pictures wants it trained, and more
#       # epochs: of questions about NLVR's drawings 0 were right after four epochs with it frozen,
#       # 0.60 after twelve with it trained (n = 40; the most frequent answer gets 0.55).
#       modules: {vision: 2.0e-4, projector: 3.0e-4, decoder: 5.0e-4}
#       optimizer: {kind: muon}
#       schedule: {kind: cosine, warmup_share: 0.05, min_ratio: 0.1}
#       pack: {max_tokens: 2048, max_patches: 1280}
#       batch_records: 8
#       epochs: 12
"""
_EXAMPLES = ASSETS / "examples" / "real"
_ROWS = "rows.json"


def start(folder: Path) -> list[str]:
    """Fill a new or empty folder.

    Returns:
        The files, relative to the folder, sorted.

    Raises:
        UserError: the folder has something in it, or is a file.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        rule = "is there and not an empty folder"
        raise UserError(Problem("folder", str(folder), rule, "name a new one"))
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_EXAMPLES / "images", folder / "images")
    for path in sorted(_EXAMPLES.iterdir()):
        if path.is_file():
            name = _ROWS if path.suffix == ".json" else f"images/{path.name}"
            shutil.copyfile(path, folder / name)
    shutil.copytree(ASSETS / "recipes", folder / "recipes")
    write_text(folder / "recipe.yaml", FIRST)
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
