"""Prompts by pass rate: decided by hand-made answers, measured by the model, refused when few."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.rl import fresh
from pellucid.rl.fresh import Fresh, ask
from pellucid.rl.loop import train_rl
from pellucid.rl.pass_rate import choose
from pellucid.rl.setting import Setting
from pellucid.store import MixRow, arrow, write_mix

from .conftest import World, entries, make_options, make_setting

RIGHT = {
    0: (1.0, 1.0, 1.0, 1.0),
    1: (1.0, 0.0, 0.0, 0.0),
    2: (0.0, 0.0, 0.0, 0.0),
    3: (1.0, 1.0, 1.0, None),
    4: (1.0, 0.0, 1.0, 0.0),
    5: (None, None, None, None),
}
"""Scores of four answers to each of the world's six prompts."""


def told(setting: Setting, world: World) -> None:
    """Put hand-made answers where a killed run would have left its own."""
    lines = [
        json.dumps(
            asdict(
                Fresh(entry.record, "c", entry.mode, entry.mode, sample, score, 3,
                      "truncated" if score == 0 else "answered", "stop", "7")
            )
        )
        for number, entry in enumerate(entries(setting, world.mix))
        for sample, score in enumerate(RIGHT[number])
    ]  # fmt: skip
    (setting.folder / "pass_rates").mkdir()
    (setting.folder / "pass_rates/00000.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def test_the_range_keeps_what_it_says(world: World, tmp_path: Path) -> None:
    options = {"prompts": 6, "samples": 4, "low": 0.25, "high": 0.5}
    setting = make_setting(world, tmp_path, pass_rate=options, prompts_per_batch=2)
    told(setting, world)
    kept, left = choose(setting, entries(setting, world.mix))
    ids = [record.id for record in world.records]
    assert [entry.record for entry in kept] == [ids[1], ids[4]]
    assert [(one.record, one.reason.split()[-1]) for one in left] == [
        (ids[0], "rl.pass_rate.high"), (ids[2], "rl.pass_rate.low"), (ids[3], "rl.pass_rate.high"),
        (ids[5], "scored"),
    ]  # fmt: skip
    rows = arrow.read_table(tmp_path / "pass_rates.parquet").to_pylist()
    assert [row["pass_rate"] for row in rows] == [1.0, 0.25, 0.0, 1.0, 0.5, None]
    assert [row["scored"] for row in rows] == [4, 4, 4, 3, 4, 0]
    assert [row["truncated"] for row in rows] == [0, 3, 4, 0, 2, 0]
    assert [row["decision"] for row in rows] == ["easy", "kept", "hard", "easy", "kept", "unscored"]
    assert not (tmp_path / "pass_rates").exists()


def test_too_few_prompts_are_refused_with_their_distribution(world: World, tmp_path: Path) -> None:
    options = {"prompts": 6, "samples": 4, "low": 0.25, "high": 0.5}
    setting = make_setting(world, tmp_path, pass_rate=options, prompts_per_batch=4)
    told(setting, world)
    with pytest.raises(UserError) as caught:
        choose(setting, entries(setting, world.mix))
    (problem,) = caught.value.problems
    assert (problem.field, problem.value) == ("rl.pass_rate", {"low": 0.25, "high": 0.5})
    assert "keeps 2 of 6 sampled prompts, and rl.prompts_per_batch is 4" in problem.rule
    assert "0.00: 1, 0.25: 1, 0.50: 1, 1.00: 2" in problem.rule
    assert "rl.pass_rate.prompts" in problem.fix


def test_a_repeated_prompt_counts_once_towards_a_batch(world: World, tmp_path: Path) -> None:
    options = {"prompts": 1, "samples": 2, "low": 0, "high": 1}
    setting = make_setting(world, tmp_path, pass_rate=options, prompts_per_batch=2)
    again = entries(setting, world.mix)[1]._replace(repeat=9)
    with pytest.raises(UserError, match="keeps 1 of 1 sampled prompts"):
        choose(setting, [again])


def test_a_smaller_sample_is_a_part_of_a_larger_one(world: World, tmp_path: Path) -> None:
    kept = []
    for count in (2, 4, 99):
        options = {"prompts": count, "samples": 1, "low": 0, "high": 1}
        folder = tmp_path / str(count)
        setting = make_setting(world, folder, pass_rate=options, prompts_per_batch=2)
        found, left = choose(setting, entries(setting, world.mix))
        kept.append({entry.record for entry in found})
        assert [one.reason for one in left].count("not sampled: beyond rl.pass_rate.prompts") == (
            max(0, 6 - count)
        )
    assert kept[0] < kept[1] < kept[2] and [len(one) for one in kept] == [2, 4, 6]


def test_the_model_decides_and_chunks_change_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = make_setting(world, tmp_path)
    asked = entries(setting, world.mix)
    rows = ask(setting, asked, 12, "pass rates", tmp_path / "one")
    own = [record.messages[-1].mode for record in world.records]
    assert [row.mode for row in rows] == [mode for mode in own[:6] for _ in range(12)]
    direct = {row.text: row.accuracy for row in rows if row.mode == "nothink"}
    assert {0.0, 1.0} == set(direct.values())
    for text, score in direct.items():
        said = text.removeprefix("<nothink>").removesuffix("<|im_end|>")
        if said.isdigit() and text != said:
            assert score == float(text.endswith("<|im_end|>") and said == "7"), text
    monkeypatch.setattr(fresh, "CHUNK", 2)
    assert ask(setting, asked, 12, "pass rates", tmp_path / "three") == rows
    chunks = sorted((tmp_path / "three").iterdir())
    assert len(chunks) == 3
    before = chunks[1].read_bytes()
    chunks[1].unlink()
    assert ask(setting, asked, 12, "pass rates", tmp_path / "three") == rows
    assert chunks[1].read_bytes() == before
    other = ask(setting, asked, 12, "probe after", tmp_path / "other")
    assert [row.text for row in other] != [row.text for row in rows]


def test_a_job_asks_only_what_was_kept_and_counts_the_rest(world: World, tmp_path: Path) -> None:
    options = make_options(
        batches=1, prompts_per_batch=2, pass_rate={"prompts": 4, "samples": 3, "low": 0, "high": 1}
    )
    train_rl(options, world.mix, world.stores, world.model, tmp_path, 3, "cpu", "float32")
    rows = arrow.read_table(tmp_path / "pass_rates.parquet").to_pylist()
    kept = {row["record"] for row in rows if row["decision"] == "kept"}
    asked = {
        json.loads(line)["record"]
        for line in (tmp_path / "rollouts/batch-00000.jsonl").read_text("utf-8").splitlines()
    }
    assert len(kept) == 4 and asked <= kept
    dropped = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text().splitlines()]
    assert kept | {one["record"] for one in dropped} == {record.id for record in world.records}
    assert len(dropped) == 4


def test_another_runs_rates_are_measured_again(world: World, tmp_path: Path) -> None:
    write_mix(tmp_path / "mix", [MixRow(r.id, 1, "nothink") for r in world.records[:4]], [])
    chosen = {"prompts": 9, "samples": 2, "low": 0, "high": 1}
    for mix in (world.mix, tmp_path / "mix"):
        options = make_options(batches=1, prompts_per_batch=2, pass_rate=chosen)
        folder = tmp_path / "out"
        if (folder / "checkpoint").exists():
            for path in (folder / "checkpoint").iterdir():
                path.unlink()
            (folder / "checkpoint").rmdir()
        train_rl(options, mix, world.stores, world.model, folder, 3, "cpu", "float32")
    rows = arrow.read_table(folder / "pass_rates.parquet").to_pylist()
    assert {row["mode"] for row in rows} == {"nothink"} and len(rows) == 4
