"""Rows: what is asked, what is written, what a broken run leaves, what latency measures."""

import json
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.eval.rows import load_rows, part_paths, read_lines, select
from pellucid.eval.run import evaluate
from pellucid.recipe.eval import StoreTask
from pellucid.score import scorer_hash


def by_number(rows: list[dict], mode: str) -> dict[int, dict]:
    return {int(row["gold"]): row for row in rows if row["mode"] == mode}


def comparable(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "timing" not in path.parts[len(folder.parts) :]
    }


def test_one_row_per_item_and_mode_scored(finished) -> None:
    rows = load_rows(finished)
    assert len(rows) == 36
    think, direct = by_number(rows, "think"), by_number(rows, "nothink")
    assert [n for n in think if think[n]["score"] == 1.0] == [1, 2, 4, 7, 8, 10, 11]
    assert [n for n in direct if direct[n]["score"] == 1.0] == [0, 2, 4, 6, 8, 10]
    cut, broken = think[5], direct[9]
    assert (cut["outcome"], cut["status"], cut["score"]) == ("truncated", "scored", 0.0)
    assert cut["answer"] is None and cut["extracted"] is None
    assert (broken["outcome"], broken["status"], broken["score"]) == ("failed", "unscored", None)
    assert broken["why"] == "failed: out of order"


def test_a_row_holds_all_that_scoring_and_pairing_need(finished) -> None:
    row = by_number(load_rows(finished), "think")[7]
    record = row["record"]
    assert {name: row[name] for name in row if name not in ("text", "why", "prompt_hash")} == {
        "task": "charts", "item": f"charts/{record}", "record": record, "record_task": "sum.v2",
        "domain": "charts", "cluster": "picture 3", "difficulty": 7 / 12, "gold": "7",
        "guess": "20", "majority": 0.0,
        "mode": "think", "chosen": "think", "prompt_tokens": 7, "thinking": "7 is 7",
        "answer": "7", "outcome": "answered", "finish_reason": "stop", "error": "", "tokens": 17,
        "thinking_tokens": 8, "scorer": "number", "scorer_hash": scorer_hash("number"),
        "status": "scored", "score": 1.0, "extracted": "7",
    }  # fmt: skip


def test_chunks_are_files_and_their_size_changes_no_row(
    stores, table, options, finished, tmp_path
) -> None:
    names = [str(path.relative_to(finished)) for path in part_paths(finished)]
    assert names[:3] == [f"rows/charts.auto/0000{n}.jsonl" for n in range(3)]
    assert [len(read_lines(path)) for path in part_paths(finished)] == [5, 5, 2] * 3
    generator = table()
    evaluate(options(chunk_items=64), stores, generator, "long", "c" * 64, tmp_path)
    assert load_rows(tmp_path) == load_rows(finished)
    assert generator.calls[0] == 36, "one stream, however it is written"


def test_rows_are_chosen_by_task_mode_and_column(finished) -> None:
    assert len(load_rows(finished, mode="auto")) == 12
    assert load_rows(finished, task="other") == []
    assert len(select(load_rows(finished), '{"mode":["auto","think"],"record_task":"count"}')) == 12


class Breaks(Exception):
    """Stands for whatever ends a run."""


def test_a_broken_run_goes_on_after_its_last_chunk(
    stores, table, options, finished, tmp_path
) -> None:
    class Breaking(table):  # type: ignore[misc, valid-type]
        def answer(self, request):
            if len(self.asked) == 19:
                raise Breaks
            return super().answer(request)

    broken = Breaking()
    with pytest.raises(Breaks):
        evaluate(options(), stores, broken, "long", "c" * 64, tmp_path)
    assert len(part_paths(tmp_path)) == 4 and not (tmp_path / "report.json").exists()
    (tmp_path / "rows" / "charts.auto" / ".00009.jsonl.1.tmp").write_text("half a row")
    generator = table()
    evaluate(options(), stores, generator, "long", "c" * 64, tmp_path)
    kept = broken.asked[:17]  # chunks of 5, 5, 2 and 5 items
    asked = generator.asked[: generator.calls[0]]
    assert not set(kept) & set(asked), "no chunk is asked twice"
    assert asked[:2] == broken.asked[17:19], "the chunk that broke is asked whole"
    assert comparable(tmp_path) == comparable(finished)
    again = table()
    evaluate(options(), stores, again, "long", "c" * 64, tmp_path)
    assert again.calls == [] and comparable(tmp_path) == comparable(finished)


def test_another_evaluation_in_the_folder_is_refused(
    stores, table, options, finished, tmp_path
) -> None:
    evaluate(options(), stores, table(), "long", "c" * 64, tmp_path)
    with pytest.raises(UserError, match="other checkpoint_hash"):
        evaluate(options(), stores, table(), "long", "d" * 64, tmp_path)
    with pytest.raises(UserError, match="other options"):
        evaluate(options(seed=1), stores, table(), "long", "c" * 64, tmp_path)
    assert comparable(tmp_path) == comparable(finished)


def test_names_that_break_metric_ids_are_refused_at_once(stores, table, options, tmp_path) -> None:
    told = options(tasks={"a.b": StoreTask(source="set"), "c/d": StoreTask(source="set")})
    with pytest.raises(UserError) as caught:
        evaluate(told, stores, table(), "train.long", "c" * 64, tmp_path)
    assert [problem.value for problem in caught.value.problems] == ["a.b", "c/d", "train.long"]
    assert list(tmp_path.iterdir()) == []


def test_latency_is_measured_one_by_one_in_every_mode(stores, table, options, tmp_path) -> None:
    told = options(
        tasks={name: StoreTask(source="set", limit=6) for name in ("one", "two")},
        latency_items=3, chunk_items=6,
    )  # fmt: skip
    generator = table()
    evaluate(told, stores, generator, "long", "c" * 64, tmp_path)
    assert generator.calls == [36] + [1] * 12, "three items and a warm-up, in three modes"
    timed = read_lines(tmp_path / "timing" / "latency.jsonl")
    assert len(timed) == 9
    assert {row["item"] for row in timed} <= {row["item"] for row in load_rows(tmp_path)}
    assert [row["task"] for row in timed] == ["one"] * 3 + ["two"] * 3 + ["one"] * 3
    rows = {(row["item"], row["mode"]): row["tokens"] for row in load_rows(tmp_path)}
    assert all(row["tokens"] == rows[row["item"], row["mode"]] for row in timed)
    assert all(row["seconds"] > 0 for row in timed)


def test_seconds_stand_under_timing_only(finished) -> None:
    seconds = read_lines(finished / "timing" / "charts.think" / "00000.jsonl")
    rows = read_lines(finished / "rows" / "charts.think" / "00000.jsonl")
    assert [row["item"] for row in seconds] == [row["item"] for row in rows]
    assert {row["seconds"] for row in seconds} == {0.5}
    assert not any("seconds" in row or "latency" in row for row in rows)


def test_odd_text_survives_as_it_is(stores, table, options, tmp_path) -> None:
    odd = '1\u2028\x85\r\n"\\ \x00 é \ud800'
    told = options(modes=("nothink",), latency_items=0)
    evaluate(told, stores, table({(3, "nothink"): odd}), "long", "c" * 64, tmp_path)
    row = by_number(load_rows(tmp_path), "nothink")[3]
    assert row["answer"] == odd.replace("\ud800", "\\ud800")
    assert row["status"] == "scored"


def test_the_head_says_what_was_evaluated(finished, options) -> None:
    head = json.loads((finished / "eval.json").read_text())
    assert head["checkpoint"] == "long" and head["generator"] == "table"
    assert head["options"] == options().model_dump(mode="json")


def test_a_task_is_asked_in_its_own_modes_and_blank_pictures_are_not_timed(
    stores, table, options, tmp_path
) -> None:
    blank = StoreTask(source="set", picture="blank", modes=("nothink",))
    told = options(tasks={"all": StoreTask(source="set"), "blank": blank}, latency_items=4)
    evaluate(told, stores, table(), "long", "c" * 64, tmp_path)
    found = {(row["task"], row["mode"]) for row in load_rows(tmp_path)}
    assert found == {("all", "auto"), ("all", "think"), ("all", "nothink"), ("blank", "nothink")}
    timed = read_lines(tmp_path / "timing" / "latency.jsonl")
    assert {row["task"] for row in timed} == {"all"} and len(timed) == 12


def test_what_one_checkpoint_is_asked_does_not_depend_on_the_others(options) -> None:
    tasks = {
        "a": StoreTask(source="set"),
        "b": StoreTask(source="set", checkpoints=("final",)),
        "both": {"kind": "pool", "tasks": ("a", "b")},
    }
    told = options(tasks=tasks, checkpoints=("align", "rl", "final"))
    assert list(told.for_checkpoint({"align"}).tasks) == ["a"]
    last = told.for_checkpoint({"rl", "final"})
    assert list(last.tasks) == ["a", "b", "both"] and last.pools == {"both": ("a", "b")}
    fewer = options(tasks=tasks, checkpoints=("final",)).for_checkpoint({"rl", "final"})
    assert fewer == last


def test_checkpoints_before_the_last_may_be_asked_in_fewer_modes(options) -> None:
    tasks = {
        "a": StoreTask(source="set"),
        "b": StoreTask(source="set", modes=("nothink",)),
        "both": {"kind": "pool", "tasks": ("a", "b")},
    }
    told = options(tasks=tasks, earlier_modes=("auto",))
    early, last = told.for_checkpoint({"align"}), told.for_checkpoint({"rl", "final"})
    assert early.modes_of("a") == ("auto",) and list(early.tasks) == ["a"]
    assert last.modes_of("a") == told.modes and last.modes_of("b") == ("nothink",)
