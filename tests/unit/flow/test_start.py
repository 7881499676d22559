"""A folder to begin with: complete, checked, its recipe loads, and nothing is overwritten."""

from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.data.check import check
from pellucid.flow.start import FIRST, start
from pellucid.recipe import load


def test_the_first_recipe_trains_on_the_rows_beside_it(tmp_path: Path) -> None:
    made = start(tmp_path / "new")
    assert {"recipe.yaml", "rows.json", "recipes/finetune.yaml"} <= set(made)
    assert not [name for name in made if name.startswith("LICENSE")], "rows lie alone at the top"
    recipe = load(str(tmp_path / "new" / "recipe.yaml"), ())
    source = recipe.data.sources["own"]
    assert source.kind == "llava_json"
    assert Path(source.path) == tmp_path / "new" / "rows.json"
    assert recipe.name == "mine" and source.split.test > 0, "the rest is that of finetune"


def test_the_five_lines_of_the_shipped_recipe_are_those_of_the_first() -> None:
    said = [line for line in FIRST.splitlines() if line and not line.startswith("#")]
    assert len(said) == 5


def test_what_people_change_next_is_a_recipe_too(tmp_path: Path) -> None:
    start(tmp_path / "new")
    path = tmp_path / "new" / "recipe.yaml"
    head, _, tail = FIRST.partition('leading "# ".\n')
    path.write_text(head + "\n" + tail.replace("# ", "", 1).replace("\n# ", "\n"), encoding="utf-8")
    (stage,) = load(str(path), ()).train.stages
    assert stage.epochs == 12 and stage.modules.vision, "as the comment above them says"


def test_it_says_what_a_new_domain_of_pictures_wants() -> None:
    """Beside the modules, where people look when the tower is frozen and nothing is learnt."""
    before, _, after = FIRST.partition("modules: {")
    comment = before.rpartition("mix: own")[2]
    assert "the tower is frozen" in comment and "new domain of pictures" in comment
    assert "more\n#       # epochs" in comment and after.startswith("vision: ")


def test_its_rows_are_sound(tmp_path: Path) -> None:
    start(tmp_path)
    report = check(tmp_path / "rows.json", None, 10**8)
    assert report.findings == () and report.rows == 100


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    at = tmp_path / "there"
    if taken == "file":
        at.write_text("mine")
    else:
        at.mkdir()
        (at / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is there and not an empty folder; name a new one"):
        start(at)
    assert at.read_text() == "mine" if taken == "file" else list(at.iterdir()) == [at / "mine.txt"]
