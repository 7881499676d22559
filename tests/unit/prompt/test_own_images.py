"""Image strategies of the user's own: planned from sizes, kept with the model, run if trusted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.unit.own_code import check_key, planned_work

from pellucid.base.errors import UserError
from pellucid.base.own import TRUST
from pellucid.flow.job import Work
from pellucid.model.vision import patchify
from pellucid.prompt.plan import plan
from pellucid.prompt.plan.own import load
from pellucid.prompt.render import Renderer
from pellucid.recipe.model import BuildModel, PythonImages

CODE = """
def halves(width, height, patch_px, side=2):
    size = (side * patch_px, patch_px)
    middle = width / 2
    return [((0, 0, middle, height), size), ((middle, 0, width, height), size)]
"""
SIZES = {"width": 16, "layers": 2, "heads": 2, "mlp_width": 16}
DECODER = {**SIZES, "kv_heads": 1, "context_tokens": 256}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(f"# {tmp_path.name}\n{CODE}", encoding="utf-8")
    return path


def test_parts_are_planned_and_cut_as_the_function_says(mine: Path) -> None:
    options = load(PythonImages(path=f"{mine}:halves", max_tokens=4))
    planned = plan(options, 8, 40, 20)
    assert (planned.tokens, planned.patches, len(planned.views)) == (4, 4, 2)
    assert [(view.rows, view.cols) for view in planned.views] == [(1, 2), (1, 2)]
    picture = Image.new("RGB", (40, 20), "black")
    picture.paste((255, 255, 255), (20, 0, 40, 20))
    patches = patchify(options, 8, picture, planned)
    assert patches.shape == (4, 192)
    assert np.all(patches[:2] == -1) and np.all(patches[2:] == 1), "left, then right"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[]", "wanted a list of parts"),
        ("None", "wanted a list of parts"),
        ("[1]", "wanted ((left, top, right, bottom), (width, height))"),
        ("[((0, 0, width, height), (patch_px, 9))]", "wanted whole patches of 8 pixels"),
        ("[((0, 0, width, height), (0, 8))]", "wanted whole patches"),
        ("[((0, 0, width, height), (float('nan'), 8))]", "wanted whole patches"),
        ("[((0, 0, width + 1, height), (8, 8))]", "empty or not within it"),
        ("[((5, 0, 5, height), (8, 8))]", "empty or not within it"),
        ("[((0, 0, width, height), (40, 8))]", "5 patches, more than max_tokens=4"),
        ("1 / 0", "raised ZeroDivisionError for an image of 40x20"),
    ],
)
def test_what_is_no_list_of_parts_is_refused(mine: Path, body: str, says: str) -> None:
    mine.write_text(f"def fn(width, height, patch_px):\n    return {body}\n", encoding="utf-8")
    options = load(PythonImages(path=f"{mine}:fn", max_tokens=4))
    with pytest.raises(UserError) as raised:
        plan(options, 8, 40, 20)
    assert says in str(raised.value) and "model.images.path" in str(raised.value)


def test_a_pinned_hash_takes_no_other_file(mine: Path) -> None:
    with pytest.raises(UserError, match="is not the hash of"):
        load(PythonImages(path=f"{mine}:halves", max_tokens=4, sha256="0" * 64))


def renderer(mine: Path) -> Renderer:
    images = PythonImages(path=f"{mine}:halves", max_tokens=4)
    return Renderer.build(BuildModel(images=images, vision=SIZES, decoder=DECODER))


def test_a_folder_keeps_the_file_and_says_nothing_of_where_it_lay(
    mine: Path, tmp_path: Path
) -> None:
    made = renderer(mine)
    made.save(tmp_path / "model")
    mine.unlink()
    again = Renderer.load(tmp_path / "model")
    assert again.hash == made.hash and again.images == made.images
    assert plan(again.images, 8, 40, 20).tokens == 4
    told = "".join(path.read_text("utf-8") for path in (tmp_path / "model").glob("*config.json"))
    assert str(tmp_path) not in told and '"path": "image_strategy.py:halves"' in told


FOREIGN = """
import sys
from pathlib import Path
from pellucid.base.errors import UserError
from pellucid.prompt.render import Renderer
try:
    Renderer.load(Path(sys.argv[1]))
except UserError as error:
    print(error)
else:
    print("loaded")
"""


def test_foreign_code_is_run_only_when_its_hash_is_named(mine: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    marked = mine.with_name("marked.py")
    sign = tmp_path / "it ran"
    marked.write_text(f"open({str(sign)!r}, 'w').close()\n{CODE}", encoding="utf-8")
    made = renderer(marked)
    made.save(tmp_path / "model")
    sign.unlink()
    known = made.images.sha256  # type: ignore[union-attr]

    def loaded(trust: str) -> str:
        told = {**os.environ, TRUST: trust}
        command = [sys.executable, "-c", FOREIGN, str(tmp_path / "model")]
        return subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout

    for refused in ("", "0" * 64, known[:16], "x" + known):
        assert f"set {TRUST}={known[:32]} " in loaded(refused) and not sign.exists()
    assert loaded(f"{'1' * 32},{known[:32]}") == "loaded\n" and sign.exists()
    sign.unlink()
    (tmp_path / "model" / "image_strategy.py").write_text("print('other')", encoding="utf-8")
    assert "is not the file that the checkpoint was made with" in loaded(known)


BUILT = """
model:
  images: {kind: python, path: "mine.py:halves", max_tokens: 100}
"""


def test_the_file_is_part_of_the_key_of_init_and_its_place_is_not(tmp_path: Path) -> None:
    check_key(tmp_path, CODE, BUILT, "init", "data.charts")


def test_a_file_that_ends_the_process_is_refused(mine: Path) -> None:
    for _ in range(2):  # nor is half of it taken for the whole
        mine.write_text("def halves(*_):\n    pass\nraise SystemExit(0)\n", encoding="utf-8")
        with pytest.raises(UserError, match="cannot be run: SystemExit"):
            load(PythonImages(path=f"{mine}:halves", max_tokens=4))


def test_a_strategy_that_was_edited_after_planning_makes_no_model(tmp_path: Path) -> None:
    work = planned_work(tmp_path / "one", CODE, BUILT, "init")
    (tmp_path / "one" / "mine.py").write_text(CODE + "# edited\n", encoding="utf-8")
    with pytest.raises(UserError, match="was edited while the run was under way"):
        work(Work(tmp_path, {}))
