"""The published mixes: their counts from cards, and twins of a thousandth that really are made."""

import json
from pathlib import Path

import pytest
from tests.e2e.command import pellucid
from tests.unit.data.mixes import run

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data import build_source
from pellucid.data.mix import planned
from pellucid.flow.estimate import planned_takes
from pellucid.recipe import Recipe, load
from pellucid.recipe.data import ListsScene, ScenesSource, SumsScene
from pellucid.recipe.mix import Mix, Take
from pellucid.recipe.rows import SplitShares
from pellucid.store import Store

TABLE_4 = {
    # general, maths, screens, together: Table 4 of the report
    "math150k-cua450k": (1_000_000, 150_000, 450_000, 1_600_000),
    "math150k-cua850k": (1_000_000, 150_000, 850_000, 2_000_000),
    "math450k-cua450k": (1_000_000, 450_000, 450_000, 1_900_000),
    "math450k-cua850k": (1_000_000, 450_000, 850_000, 2_300_000),
    "math150k-cua150k": (1_000_000, 150_000, 150_000, 1_300_000),
    "math150k-cua250k": (1_000_000, 150_000, 250_000, 1_400_000),
}
OMR = {"llava_cot": 63.3, "openvlthinker": 2.5, "wemath": 0.8, "mmr1": 22.8, "miromind": 10.5}
"""Percent of 874,357 rows on the project page."""


def by_source(mix: Mix, shown: list[int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for take, seen in zip(mix.take, shown, strict=True):
        found[take.source] = found.get(take.source, 0) + seen
    return found


def scaled(recipe: Recipe, name: str) -> Mix:
    """The same query of a thousandth: what takes all of its card takes a thousandth of that."""
    mix = recipe.data.mixes[name]
    takes = []
    for take, there in zip(mix.take, planned_takes(recipe, name)[1], strict=True):
        count = None if take.share else (take.count or there) // 1000
        takes.append(take.model_copy(update={"count": count}))
    total = None if mix.total is None else round(mix.total / 1000)
    return mix.model_copy(update={"take": tuple(takes), "total": total})


def test_all_six_rows_are_there() -> None:
    assert list(load("table4").data.mixes) == list(TABLE_4)


@pytest.mark.parametrize("name", TABLE_4)
def test_a_row_of_table_4_from_the_card(name: str) -> None:
    recipe = load("table4")
    targets, there = planned_takes(recipe, name)
    mix = recipe.data.mixes[name]
    shown = by_source(mix, [one.seen for one in targets])
    general, maths, screens, total = TABLE_4[name]
    assert shown["general"] == general and shown["math"] == maths
    assert shown["cua"] + shown.get("phi_ground", 0) == screens
    assert sum(shown.values()) == total
    assert targets[1].records == 150_000, "the same 150K, also where they are seen three times"
    assert max(there) == 1_000_000


def test_the_plan_counts_what_the_stage_takes(tmp_path: Path) -> None:
    given = ("--set", "train.stages.0.mix=math450k-cua850k", "--json")
    done = pellucid("plan", "table4", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (stage,) = json.loads(done.stdout)["stages"]
    assert stage["counts"]["records"] == 2_300_000
    assert round(stage["steps"], 3) == round(2_300_000 / 1920, 3)


def test_openmmreasoner_s_sources() -> None:
    recipe = load("openmmreasoner-mix")
    targets, _ = planned_takes(recipe, "sft")
    mix = recipe.data.mixes["sft"]
    assert sum(one.seen for one in targets) == 874_357
    for take, got in zip(mix.take, targets, strict=True):
        assert got.records == got.seen, "a question with eight answers is eight rows"
        exact = 874_357 * OMR[take.source] / sum(OMR.values())
        assert abs(got.seen - exact) < 1
        assert take.share == pytest.approx(OMR[take.source] / 100)


def test_the_report_s_instruct_mix() -> None:
    mix = load("phi4-instruct-mix").data.mixes["instruct"]
    (target,), _ = planned_takes(load("phi4-instruct-mix"), "instruct")
    assert (target.seen, mix.think_share, mix.think_share_of) == (62_800_000, 0.2, "records")


SCENES = {
    "general": ("sums", 200), "math": ("sums", 30), "cua": ("lists", 225),
    "phi_ground": ("lists", 200), "llava_cot": ("sums", 111), "openvlthinker": ("lists", 11),
    "wemath": ("lists", 4), "mmr1": ("sums", 40), "miromind": ("lists", 46),
    "instruct": ("sums", 1256),
}  # fmt: skip
"""Family and scenes for a thousandth of each source, of `instruct` a ten-thousandth. A scene of
sums gives five records of which four can think, one of lists two that cannot."""


@pytest.fixture(scope="module")
def thousandth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Scene sources of a thousandth of every source's card."""
    folder = tmp_path_factory.mktemp("thousandth")
    found = {}
    for at, (name, (family, scenes)) in enumerate(SCENES.items()):
        scene = SumsScene() if family == "sums" else ListsScene()
        options = ScenesSource(
            scene=scene, scenes=scenes, seed=10_000 * at, split=SplitShares(validation=0, test=0)
        )
        build_source(name, options, 0, folder / name)
        found[name] = store.open(folder / name)
    return found


@pytest.mark.parametrize("name", TABLE_4)
def test_a_twin_of_table_4(tmp_path: Path, thousandth: dict[str, Store], name: str) -> None:
    mix, summary = run(tmp_path, scaled(load("table4"), name), **thousandth)
    of = {row.id: row.source for row in mix.ledger if row.decision == "kept"}
    shown: dict[str, int] = {}
    for row in mix.rows:
        shown[of[row.id]] = shown.get(of[row.id], 0) + row.repeat
    general, maths, screens, total = (count // 1000 for count in TABLE_4[name])
    assert shown["general"] == general and shown["math"] == maths
    assert shown["cua"] + shown.get("phi_ground", 0) == screens
    assert summary["seen_per_epoch"] == total
    assert {row.repeat for row in mix.rows if of[row.id] == "math"} == {maths // 150}


def test_twins_nest(tmp_path: Path, thousandth: dict[str, Store]) -> None:
    """150 screens are among the 250, and these among the 450, as "the same subset" has it."""
    ids = []
    for at, name in enumerate(("math150k-cua150k", "math150k-cua250k", "math150k-cua450k")):
        mix, _ = run(tmp_path / str(at), scaled(load("table4"), name), **thousandth)
        ids.append({row.id for row in mix.rows})
    assert ids[0] < ids[1] < ids[2]


def test_a_twin_of_openmmreasoner(tmp_path: Path, thousandth: dict[str, Store]) -> None:
    query = scaled(load("openmmreasoner-mix"), "sft")
    _, summary = run(tmp_path, query, **thousandth)
    assert summary["by_source"] == {
        "llava_cot": 554, "openvlthinker": 22, "wemath": 7, "mmr1": 199, "miromind": 92
    }  # fmt: skip
    assert summary["records"] == summary["seen_per_epoch"] == 874


def test_a_twin_of_the_instruct_mix(tmp_path: Path, thousandth: dict[str, Store]) -> None:
    """A ten-thousandth, of which four fifths can think: a fifth does, to the record."""
    _, summary = run(tmp_path, load("phi4-instruct-mix").data.mixes["instruct"], **thousandth)
    assert summary["by_mode"] == {"think": 1256, "nothink": 5024}
    assert summary["think_share"] == 0.2


def test_a_count_beyond_the_card() -> None:
    recipe = load("table4", ["data.mixes.math150k-cua150k.take.2.count=500000"])
    with pytest.raises(UserError, match=r"500000 is more than the 450,000 records of .*table4"):
        planned_takes(recipe, "math150k-cua150k")


def test_planned_and_made_agree(tmp_path: Path, thousandth: dict[str, Store]) -> None:
    """What `plan` says of sizes is what a mix of stores of those sizes is."""
    maths = Take(source="math", share=0.3, repeat=2, max_repeat=4)
    query = Mix(take=(Take(source="general", share=0.5), maths, Take(source="cua", share=0.2)))
    told = planned("m", query, [len(thousandth[take.source]) for take in query.take])
    _, summary = run(tmp_path, query, **thousandth)
    assert summary["seen_per_epoch"] == sum(one.seen for one in told)
    taken = [summary["by_source"][take.source] for take in query.take]
    assert taken == [one.records for one in told]
