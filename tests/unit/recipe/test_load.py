"""Reading recipes: extends, --set, every problem at once, round trip."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.command import pellucid

from pellucid.base.errors import UserError
from pellucid.recipe import Recipe, dump, json_schema, load
from pellucid.recipe.base import Options
from pellucid.recipe.load import SHIPPED, validate

HOME = Path(__file__).resolve().parents[3]

NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def tree() -> dict[str, Any]:
    return load("smoke").model_dump(mode="json")


@pytest.mark.parametrize("name", NAMES)
def test_a_resolved_recipe_loads_to_an_equal_one(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    (tmp_path / "again.yaml").write_text(dump(recipe), encoding="utf-8")
    assert load(str(tmp_path / "again.yaml")) == recipe


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_says_what_it_needs(name: str) -> None:
    head = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").split("\n\n")[0]
    for word in ("command", "hardware", "time"):
        assert f"# {word}" in head


def test_set_overrides_and_reads_yaml() -> None:
    recipe = load("smoke", ["seed=7", "train.stages.0.name=first", "eval.modes=[nothink,auto]"])
    assert (recipe.seed, recipe.train.stages[0].name, recipe.eval.modes) == (
        7,
        "first",
        ("nothink", "auto"),
    )


def test_set_null_removes_a_field() -> None:
    assert load("smoke", ["rl=null", "release=null", "eval.checkpoints=[final]"]).rl is None


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("seed", "not of the form"),
        ("train.stages.9.name=x", "needs an index from 0 to 2"),
        ("name.x=1", "inside a plain value"),
        ("seed=[", "not YAML"),
    ],
)
def test_a_bad_set_is_refused(item: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load("smoke", [item])


def test_a_typo_names_the_field_and_the_nearest() -> None:
    given = tree()
    given["train"]["stages"][0]["schedule"]["warmup_shares"] = 0.1
    with pytest.raises(UserError) as caught:
        validate(given)
    expected = "train.stages.0.schedule.warmup_shares=0.1 is not a field here; did you mean"
    assert str(caught.value) == f"{expected} 'warmup_share'?"


def test_a_stage_that_is_given_in_part_is_told_that_lists_are_replaced(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: finetune\ntrain: {stages: [{name: sft, mix: own}]}", encoding="utf-8")
    with pytest.raises(UserError, match=r"stages\.0\.pack=None is required; .*a list replaces"):
        load(str(own))
    own.write_text("extends: finetune\nrl: {batches: 1}", encoding="utf-8")
    with pytest.raises(UserError, match=r"rl\.mix=None is required; add it\n"):
        load(str(own))


def test_a_typo_deep_in_a_plugin_has_the_path_the_user_wrote() -> None:
    given = tree()
    given["data"]["sources"]["charts"]["scene"]["max_bar"] = 3
    with pytest.raises(UserError, match=r"^data\.sources\.charts\.scene\.max_bar=3 is not a"):
        validate(given)


def test_an_unknown_kind_suggests_the_nearest() -> None:
    given = tree()
    given["data"]["sources"]["charts"]["scene"]["kind"] = "chart"
    with pytest.raises(UserError, match=r"scene\.kind='chart' .* did you mean 'charts'"):
        validate(given)


def test_all_conflicts_are_reported_at_once() -> None:
    given = tree()
    given["rl"]["updates_per_batch"] = 1
    given["rl"]["top_p"] = 0.9
    given["rl"]["objective"]["clip_low"] = 0.2
    given["train"]["stages"][0]["mix"] = "capitons"
    given["train"]["stages"][1]["batch_tokens"] = 4096
    given["model"]["decoder"]["kv_heads"] = 3
    given["release"]["checks"]["answers"]["metric"] = "eval.final.chrats.auto.all.accuracy"
    with pytest.raises(UserError) as caught:
        validate(given)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {
        "rl.updates_per_batch",
        "rl.top_p",
        "rl.objective.clip_low",
        "train.stages.0.mix",
        "train.stages.1",
        "model.decoder.kv_heads",
        "release.checks.answers.metric (task)",
    }
    assert all(problem.fix for problem in caught.value.problems)


def test_a_gate_may_not_read_a_task_that_is_only_shown() -> None:
    given = tree()
    given["release"]["checks"]["answers"]["metric"] = "eval.final.real.auto.all.accuracy"
    with pytest.raises(UserError, match=r"eval\.tasks\.real\.floor is false"):
        validate(given)


def test_a_gate_reads_names_that_are_measured_on_test_items() -> None:
    given = tree()
    given["release"]["checks"]["answers"]["metric"] = "eval.final.shapes.auto.all.acuracy"
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        validate(given)
    given = tree()
    given["eval"]["tasks"]["shapes"]["split"] = "train"
    with pytest.raises(UserError, match="reads items of the train split"):
        validate(given)


def test_the_context_must_hold_an_image_and_an_answer() -> None:
    given = tree()
    given["model"]["decoder"]["context_tokens"] = 128
    with pytest.raises(UserError, match="cannot hold an image of 100 tokens"):
        validate(given)


def test_extends_merges_and_null_removes(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(
        "extends: smoke\nname: child\nrl: null\neval: {checkpoints: [final], slots: 2}\n"
        "release: null\ntrain: {stages: []}\n",
        encoding="utf-8",
    )
    recipe = load(str(tmp_path / "child.yaml"))
    assert recipe.rl is None and recipe.eval.slots == 2 and recipe.train.stages == ()
    assert recipe.data == load("smoke").data


def test_a_new_kind_drops_the_old_kinds_fields(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(
        "extends: smoke\nname: child\nmodel: {kind: checkpoint, path: ckpt}\n", encoding="utf-8"
    )
    model = load(str(tmp_path / "child.yaml")).model
    assert model.kind == "checkpoint" and model.path == str(tmp_path / "ckpt")


def test_extends_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n", encoding="utf-8")
    with pytest.raises(UserError, match="a.yaml -> b.yaml -> a.yaml"):
        load(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "just words"])
def test_what_is_not_a_recipe_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="bad.yaml"):
        load(str(path))


def test_a_field_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("extends: smoke\nseed: 1\nname: a\nseed: 2\n", encoding="utf-8")
    with pytest.raises(UserError, match="`seed` is given in line 2 and again in line 4"):
        load(str(path))
    path.write_text("extends: smoke\nrl: {slots: 1, slots: 2}\n", encoding="utf-8")
    with pytest.raises(UserError, match="`slots`"):
        load(str(path))
    with pytest.raises(UserError, match="`decoder`"):
        load("smoke", ["rl.modules={decoder: 1, decoder: 2}"])


def test_a_merged_field_may_be_given_again(tmp_path: Path) -> None:
    """Also where what is merged was itself merged, and stands deeper than where it goes."""
    path = tmp_path / "merged.yaml"
    path.write_text(
        "extends: smoke\ndata:\n  mixes:\n    captions: &a {seed: 1}\n"
        "    instruct: &b {<<: *a, seed: 2}\n<<: *b\n",
        encoding="utf-8",
    )
    recipe = load(str(path))
    mixes = recipe.data.mixes
    assert (recipe.seed, mixes["captions"].seed, mixes["instruct"].seed) == (2, 1, 2)


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_a_rate_is_finite(value: str) -> None:
    with pytest.raises(UserError, match=r"modules\.decoder"):
        load("smoke", [f"rl.modules.decoder={value}"])


def test_an_unknown_recipe_suggests_a_shipped_one() -> None:
    with pytest.raises(UserError, match="did you mean 'smoke'"):
        load("smok")


def test_paths_start_at_the_recipe(tmp_path: Path) -> None:
    given = tree()
    given["data"]["sources"]["real"]["path"] = "mine.json"
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    real = load(str(tmp_path / "r.yaml")).data.sources["real"]
    assert real.kind == "llava_json" and real.path == str(tmp_path / "mine.json")


def test_own_code_and_its_inputs_start_at_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "extends: smoke\n"
        "data: {sources: {mine: {kind: python, path: 'rows.py:rows', inputs: [table.csv],"
        " dataset: d, licence: CC0-1.0}}}\n"
        "rl: {rewards: {own: {brief: {path: 'mine.py:brief', weight: 1}}}}\n"
        "eval: {tasks: {charts: {scorer: {path: 'mine.py:close'}}}}\n",
        encoding="utf-8",
    )
    told = load(str(path)).model_dump()
    source = told["data"]["sources"]["mine"]
    assert source["path"] == f"{tmp_path}/rows.py:rows"
    assert source["inputs"] == (f"{tmp_path}/table.csv",)
    assert told["rl"]["rewards"]["own"]["brief"]["path"] == f"{tmp_path}/mine.py:brief"
    assert told["eval"]["tasks"]["charts"]["scorer"]["path"] == f"{tmp_path}/mine.py:close"


@pytest.mark.parametrize("said", ["1e-05", "1E-5", "+1e-5", "0.00001", "1.0e-5", ".1e-4"])
def test_a_number_with_an_exponent_is_a_number(said: str) -> None:
    own = f"rl.rewards.own={{mine: {{path: 'mine.py:brief', weight: 1, options: {{by: {said}}}}}}}"
    recipe = load("smoke", [own])
    assert recipe.rl is not None
    assert recipe.rl.rewards.own["mine"].options == {"by": 1e-5}


@pytest.mark.parametrize("said", ["12e5", "1e-5", "1e+5", "1234e56", "0x1f", "1_000", "yes"])
def test_a_text_that_looks_like_something_else_stays_a_text(said: str, tmp_path: Path) -> None:
    given = tree()
    given["data"]["sources"]["real"]["dataset"] = said
    given["rl"]["rewards"]["own"] = {
        "mine": {"path": "/mine.py:brief", "weight": 1, "options": {"by": said}}
    }
    recipe = validate(given)
    (tmp_path / "again.yaml").write_text(dump(recipe), encoding="utf-8")
    assert load(str(tmp_path / "again.yaml")) == recipe


@pytest.mark.parametrize(
    ("short", "says"),
    [(16, "leaves no room for a question beside"), (4096, "exceeds model.decoder.context_tokens")],
)
def test_a_shortened_context_holds_what_is_asked(short: int, says: str) -> None:
    with pytest.raises(UserError, match=f"eval.context_tokens={short} {says}"):
        load("smoke", [f"eval.context_tokens={short}"])


def test_every_field_has_a_doc_line() -> None:
    def options(parent: type[Options]) -> list[type[Options]]:
        return [found for child in parent.__subclasses__() for found in (child, *options(child))]

    silent = [
        f"{model.__name__}.{name}"
        for model in options(Options)
        for name, field in model.model_fields.items()
        if not field.description and name not in ("kind",)
    ]
    assert silent == []


def test_the_schema_knows_every_field_of_the_recipe() -> None:
    schema = json_schema()
    assert set(Recipe.model_fields) | {"extends"} == set(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", ["backbone", "finetune", "laptop", "smoke"])
def test_shipped_recipes_use_every_source(name: str) -> None:
    assert load(name).idle_sources == ()


def test_a_source_that_nothing_uses_is_told(tmp_path: Path) -> None:
    own = "{kind: llava_json, path: rows.json, dataset: d, licence: MIT}"
    assert load("smoke", [f"data.sources.mine={own}"]).idle_sources == ("mine",)
    asked = "eval.tasks.mine={kind: store, source: mine}"
    assert load("smoke", [f"data.sources.mine={own}", asked]).idle_sources == ()
    row = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    (tmp_path / "rows.json").write_text(json.dumps([row]), encoding="utf-8")
    set_ = f"data.sources.mine={own.replace('rows.json', str(tmp_path / 'rows.json'))}"
    done = pellucid("plan", "smoke", "--set", set_, cwd=tmp_path)
    assert "note: data.sources.mine is taken by no mix and asked about by no task" in done.stderr


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("{kind: multi_crop, crop_px: 100}", r"crop_px=100 is no multiple of .*patch_px=16"),
        ("{kind: multi_crop, crop_px: 384, max_tokens: 575}", "max_tokens=575 is under the 576"),
        ("{kind: multi_crop, crop_px: 64}", "cannot hold an image of 3088 tokens"),
        ("{kind: s2, tile_px: 100}", r"tile_px=100 is no multiple of .*patch_px=16"),
        ("{kind: s2, tile_px: 32, scales_px: [32, 48]}", r"not all multiples of .*tile_px=32"),
        ("{kind: s2, tile_px: 32, scales_px: [64, 32]}", r"scales_px=\[64, 32\] do not rise"),
        ("{kind: s2, tile_px: 32, scales_px: [32]}", r"scales_px.*at least 2 items"),
        ("{kind: dynamic_s2, max_tokens: 575}", "max_tokens=575 is under the 576 tokens of one"),
        ("{kind: multi_crop_s2, max_tokens: 575}", "max_tokens=575 is under the 576 tokens of"),
        ("{kind: s2, tile_px: 16, scales_px: [0, 16]}", "scales_px.0.*greater than or equal to 2"),
        ("{kind: dynamic_s2, tile_px: 8, scales_px: [8]}", "tile_px=8 is no multiple of"),
        ("{kind: dynamic_s2, tile_px: 2}", "tile_px=2 is no multiple of"),
        ("{kind: multi_crop_s2, tile_px: 8, scales_px: [8, 16]}", "tile_px=8 is no multiple of"),
        ("{kind: multi_crop_s2, scales_px: [8, 16]}", "scales_px=.8, 16. are not all multiples"),
        ("{kind: multi_crop_s2, crop_px: 1000000}", "crop_px.*less than or equal to 8192"),
        ("{kind: multi_crop_s2, crop_px: 100}", "crop_px=100 is under the smallest square"),
        ("{kind: multi_crop_s2, max_tokens: 3}", "under the 576 tokens of one square"),
        ("{kind: multi_crop, crop_px: 8}", "crop_px=8 is no multiple of"),
        ("{kind: dynamic_s2}", "cannot hold an image of 2880 tokens"),
        ("{kind: siglip2, max_patches: 3600}", "under the 3600 patches that model.images allows"),
        ("{kind: multicrop}", "multicrop"),
    ],
)
def test_image_budgets_that_cannot_be_are_refused(images: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("smoke", [f"model.images={images}"])


@pytest.mark.parametrize(
    "path", sorted((HOME / "benchmarks").rglob("*.yaml")), ids=lambda p: p.stem
)
def test_recipes_of_the_benchmarks_follow_the_recipes_that_they_extend(path: Path) -> None:
    assert load(str(path)).name == path.stem


def test_a_recipe_that_is_not_there_is_told_by_what_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.yaml").write_text("extends: smoke\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("mine", "is a folder; name the recipe in it: mine/recipe.yaml"),
        ("empty", "is a folder; name a YAML file"),
        ("mine/recpe.yaml", "does not exist; did you mean 'mine/recipe.yaml'"),
        ("mien/recipe.yaml", "lies in a folder that does not exist; check the path"),
        ("recipe.yaml", "does not exist; check the path"),
        ("smok.yaml", "does not exist; did you mean 'smoke.yaml'"),
        ("smok", "is neither a file nor a shipped recipe; did you mean 'smoke'"),
    ):
        with pytest.raises(UserError) as refused:
            load(name)
        assert says in str(refused.value), name
