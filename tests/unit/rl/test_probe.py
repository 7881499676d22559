"""The probe: the same prompts before and after, fresh answers, accuracy alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.base.seeds import derive
from pellucid.recipe.rl import RlOptions
from pellucid.rl.fresh import ask
from pellucid.rl.loop import train_rl
from pellucid.store import MixRow, arrow, write_mix

from .conftest import World, entries, make_options, make_setting


def rows(world: World, folder: Path, options: RlOptions, seed: int = 3) -> list[dict]:
    train_rl(
        options, world.mix, world.stores, world.model, folder, seed, "cpu", "float32",
        probe_folder=world.probe,
    )  # fmt: skip
    return arrow.read_table(folder / "probe.parquet").to_pylist()


def probed(**changes: object) -> RlOptions:
    told = {"probe": {"mix": "probe", "samples": 4}, "rewards": {"accuracy": 1, "format": 0}}
    return make_options(**{**told, "batches": 1, **changes})


def test_every_prompt_is_asked_before_and_after(world: World, tmp_path: Path) -> None:
    found = rows(world, tmp_path / "a", probed())
    ids = [record.id for record in world.records[1:4]]
    assert [(row["when"], row["record"], row["sample"]) for row in found] == [
        (when, id, sample) for when in ("before", "after") for id in ids for sample in range(4)
    ]
    assert [row["mode"] for row in found[:12:4]] == ["nothink", "nothink", "think"]
    assert all(row["accuracy"] in (0.0, 1.0) for row in found)
    assert {row["finish_reason"] for row in found} <= {"stop", "length"}
    assert not (tmp_path / "a/probe").exists()
    again = rows(world, tmp_path / "b", probed())
    assert again == found
    assert (tmp_path / "a/probe.parquet").read_bytes() == (
        tmp_path / "b/probe.parquet"
    ).read_bytes()
    assert rows(world, tmp_path / "c", probed(), seed=4) != found


def test_before_are_answers_of_the_starting_weights(world: World, tmp_path: Path) -> None:
    """A policy that learnt nothing and one that learnt much differ after, not before."""
    paid = {"accuracy": 0, "format": 0, "length": 1}
    still = rows(world, tmp_path / "a", probed(modules={"decoder": 1e-12}, rewards=paid))
    moved = rows(world, tmp_path / "b", probed(modules={"decoder": 3e-2}, rewards=paid))
    assert [row for row in still if row["when"] == "before"] == [
        row for row in moved if row["when"] == "before"
    ]
    texts = [[row["text"] for row in found[12:]] for found in (still, moved)]
    assert texts[0] != texts[1]
    # Own seeds: weights that stand still answer otherwise the second time.
    assert texts[0] != [row["text"] for row in still[:12]]


def test_probing_changes_nothing_that_is_learnt(world: World, tmp_path: Path) -> None:
    rows(world, tmp_path / "a", probed())
    plain = make_options(batches=1, rewards={"accuracy": 1, "format": 0})
    train_rl(plain, world.mix, world.stores, world.model, tmp_path / "b", 3, "cpu", "float32")
    for name in ("checkpoint/model.safetensors", "log.jsonl", "rollouts/batch-00000.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_before_is_what_the_checkpoint_says_when_asked(world: World, tmp_path: Path) -> None:
    found = rows(world, tmp_path / "a", probed())
    told = make_setting(world, tmp_path, **probed().model_dump())
    setting = replace(told, seed=derive(3, "rl", 0), slots=16)
    asked = ask(setting, entries(setting, world.probe), 4, "probe before", tmp_path / "chunks")
    assert [(row.record, row.text, row.accuracy) for row in asked] == [
        (row["record"], row["text"], row["accuracy"]) for row in found[:12]
    ]


def test_a_probe_without_gold_answers_is_refused(world: World, tmp_path: Path) -> None:
    write_mix(tmp_path / "mix", [MixRow(world.records[6].id, 1, "as_is")], [])
    with pytest.raises(UserError, match=r"rl\.probe\.mix='probe' gives no prompt.*no gold answer"):
        train_rl(
            probed(), world.mix, world.stores, world.model, tmp_path / "out", 3, "cpu", "float32",
            probe_folder=tmp_path / "mix",
        )  # fmt: skip
    assert not (tmp_path / "out/checkpoint").exists()
