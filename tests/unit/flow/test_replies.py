"""Replies that are learnt and would be cut off are noted before anything is trained."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pellucid import store
from pellucid.flow.ahead import look_ahead
from pellucid.flow.plan import Choices, plan_jobs
from pellucid.flow.replies import too_long
from pellucid.flow.steps import renderer_of
from pellucid.recipe import Recipe, load
from pellucid.schema.artifact import Artifact, Manifest
from pellucid.schema.record import Answer, Mode, Record, Source, assistant, make_record, user
from pellucid.store import LedgerRow, MixRow, write_mix

THOUGHT = "Seven is one more than six, and six is one more than five. " * 2


def recipe(limit: int, *modes: Mode) -> Recipe:
    """Smoke; its tasks `charts` and `shapes` ask about all records with a gold answer."""
    made = load("smoke", [f"eval.max_new_tokens={limit}"])
    asked = made.eval.model_copy(update={"modes": modes or made.eval.modes})
    return made.model_copy(update={"eval": asked})


def record(row: int, thought: str = "", gold: str | None = "7", said: str = "7") -> Record:
    answer = Answer("number", gold) if gold else None
    reply = assistant(said, thought or None)
    return make_record(
        messages=(user("What is six and one?"), reply), images=(), answer=answer, task="sum",
        domain="", source=Source("set", "train", row, "CC0-1.0"),
    )  # fmt: skip


def run(folder: Path, charts: Sequence[Record], real: Sequence[Record] = ()) -> dict[str, Artifact]:
    """Two sources and the mix of both."""
    found = {}
    for name, records in (("data.charts", charts), ("data.odd", real)):
        writer = store.Writer(folder / name)
        writer.shard("a", list(records))
        writer.finish()
        found[name] = artifact(folder / name, name)
    rows = [MixRow(one.id, 1, "as_is") for one in (*charts, *real)]
    write_mix(folder / "mix", rows, [LedgerRow(0, "charts", row.id, "kept", "") for row in rows])
    return {**found, "mix.instruct": artifact(folder / "mix", "mix.instruct")}


def artifact(path: Path, name: str) -> Artifact:
    return Artifact(path, Manifest(name.partition(".")[0], name, "key", name, 1, {}, {}, {}))


def tokens(thought: str, said: str = "7") -> int:
    """Mode, thinking, its end, answer and the end of the turn, counted by hand."""
    renderer = renderer_of(recipe(32).model)
    texts = [renderer.format.lead + text for text in (thought, said) if text]
    controls = 3 if thought else 2
    return sum(len(renderer.tokenizer.encode_text(text)) for text in texts) + controls


def test_how_many_are_longer_and_what_would_hold_them(tmp_path: Path) -> None:
    long, short = tokens(THOUGHT), tokens("")
    told = [record(row, THOUGHT if row < 3 else "") for row in range(100)]
    artifacts = run(tmp_path, told)
    found = too_long(recipe(short), artifacts)
    assert found == (short, 0.03, long, 100)
    assert "3% of the replies that are learnt" in str(found) and f"{long} would hold" in str(found)
    assert too_long(recipe(long - 1), artifacts) == (long - 1, 0.03, long, 100)
    assert too_long(recipe(long), artifacts) is None
    assert too_long(recipe(4), {}) is None, "nothing is known before the mix is made"


def test_one_in_a_hundred_is_no_news(tmp_path: Path) -> None:
    artifacts = run(tmp_path, [record(row, "" if row else THOUGHT) for row in range(100)])
    assert too_long(recipe(tokens("")), artifacts) is None


def test_only_what_is_asked_about_counts(tmp_path: Path) -> None:
    """Not captions without a gold, nor a source without a task, unless there is nothing else."""
    caption = record(200, gold=None, said=THOUGHT)
    odd = [record(100 + row, THOUGHT) for row in range(9)]
    artifacts = run(tmp_path / "a", [caption, *(record(row) for row in range(9))], odd)
    assert too_long(recipe(tokens("")), artifacts) is None
    alone = too_long(recipe(tokens("")), run(tmp_path / "b", [], odd))
    assert alone and (alone.longer, alone.counted) == (1, 9)


def test_a_mode_that_is_not_asked_for_is_not_counted_and_a_forced_one_is_given(
    tmp_path: Path,
) -> None:
    artifacts = run(tmp_path, [record(row, THOUGHT if row % 2 else "") for row in range(10)])
    limit = tokens("")
    assert too_long(recipe(limit, "nothink"), artifacts) is None
    forced = too_long(recipe(limit, "think"), artifacts)
    assert forced == (limit, 1, tokens(THOUGHT) - 1, 5)


def test_a_run_says_it_before_it_trains_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = recipe(tokens(""))
    artifacts = run(tmp_path, [record(row, THOUGHT) for row in range(3)])
    jobs = plan_jobs(told, Choices("cpu", "float32", "told"))
    look_ahead(told, [job for job in jobs if job.type == "train"], artifacts)
    assert "note" not in capsys.readouterr().err, "nothing is going to be cut"
    tasks = {"charts": told.eval.tasks["charts"].model_copy(update={"split": "train"})}
    told = told.model_copy(update={"eval": told.eval.model_copy(update={"tasks": tasks})})
    look_ahead(told, [job for job in jobs if job.type != "rl"], artifacts)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: 100% of the replies that are learnt")
