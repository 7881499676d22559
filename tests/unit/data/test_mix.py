"""Mixes: the query, the ledger that adds up, the share of thinking, and what cannot be met."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.mix import BEYOND, OVERLAP, build_mix
from pellucid.recipe.mix import Mix, Take
from pellucid.schema.record import Answer, Source, assistant, make_record, user
from pellucid.store import Store, Writer, read_mix


def build(folder: Path, rows: list[tuple[str, str, str, str | None]]) -> Store:
    """A store from (split, task, question, reasoning); the gold is always 1."""
    writer = Writer(folder)
    records = [
        make_record(
            messages=(user(question), assistant("1", reasoning)),
            images=(),
            answer=Answer("number", "1"),
            task=task,
            domain="d",
            source=Source(folder.name, split, number, "MIT"),  # type: ignore[arg-type]
        )
        for number, (split, task, question, reasoning) in enumerate(rows)
    ]
    writer.shard("s", records)
    writer.finish()
    return store.open(folder)


@pytest.fixture
def sums(tmp_path: Path) -> Store:
    """20 sums that think and 20 reads that do not, in train; 4 tests; 1 validation; 1 overlap."""
    rows = [("train", "sum", f"sum {n}?", "Steps.") for n in range(20)]
    rows += [("train", "read", f"read {n}?", None) for n in range(20)]
    rows += [("test", "read", f"held {n}?", None) for n in range(4)]
    rows += [("validation", "read", "picked?", None), ("train", "read", "HELD  2?", None)]
    return build(tmp_path / "sums", rows)


def run(folder: Path, options: Mix, seed: int = 0, **stores: Store) -> tuple[store.Mix, dict]:
    build_mix("m", options, stores, seed, folder)
    return read_mix(folder), json.loads((folder / "summary.json").read_text())


def test_the_ledger_adds_up_and_says_why(tmp_path: Path, sums: Store) -> None:
    take = Take(source="sums", tasks=("read",), count=12, repeat=3)
    mix, summary = run(tmp_path / "mix", Mix(take=(take,)), sums=sums)
    assert len(mix.ledger) == len(sums)
    assert Counter(row.reason for row in mix.ledger) == {
        "": 12, BEYOND: 8, OVERLAP: 1, "other task: sum": 20, "other split: test": 4,
        "other split: validation": 1,
    }  # fmt: skip
    kept = {row.id for row in mix.ledger if row.decision == "kept"}
    assert kept == {row.id for row in mix.rows}
    assert {row.repeat for row in mix.rows} == {3}
    assert (summary["records"], summary["seen_per_epoch"]) == (12, 36)
    assert summary["left_out"][OVERLAP] == 1


def test_test_records_of_every_store_are_kept_out(tmp_path: Path, sums: Store) -> None:
    other = build(tmp_path / "other", [("test", "any", "sum 7?", None), ("train", "t", "x", None)])
    alone, _ = run(tmp_path / "1", Mix(take=(Take(source="sums"),)), sums=sums)
    both, _ = run(tmp_path / "2", Mix(take=(Take(source="sums"),)), sums=sums, other=other)
    (lost,) = {row.id for row in alone.rows} - {row.id for row in both.rows}
    assert sums.get(lost).messages[0].text == "sum 7?"


def test_the_same_query_gives_the_same_bytes(tmp_path: Path, sums: Store) -> None:
    options = Mix(take=(Take(source="sums", count=30),), think_share=0.25)
    for name in ("one", "two"):
        run(tmp_path / name, options, sums=sums)
    for file in ("mix.parquet", "ledger.parquet", "summary.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_counts_are_nested_and_follow_the_seed(tmp_path: Path, sums: Store) -> None:
    def ids(name: str, count: int, seed: int, own: int = 0) -> set[str]:
        options = Mix(take=(Take(source="sums", count=count),), seed=own)
        return {row.id for row in run(tmp_path / name, options, seed, sums=sums)[0].rows}

    assert ids("a", 8, 1) < ids("b", 16, 1)
    assert len({frozenset(ids(str(s), 8, s)) for s in range(4)}) == 4
    assert ids("c", 8, 1) != ids("d", 8, 1, own=1)


@pytest.mark.parametrize(("share", "thinking"), [(0.25, 10), (0.5, 20), (0.0, 0)])
def test_the_share_of_thinking_is_met(
    tmp_path: Path, sums: Store, share: float, thinking: int
) -> None:
    mix, summary = run(tmp_path, Mix(take=(Take(source="sums"),), think_share=share), sums=sums)
    modes = Counter(
        "think"
        if row.mode == "as_is" and sums.get(row.id).messages[-1].mode == "think"
        else row.mode
        for row in mix.rows
    )
    assert modes["think"] == thinking and len(mix.rows) == 40
    assert modes["nothink"] == 20 - thinking, "only records with reasoning are switched"
    assert summary["think_share"] == share


def test_repeats_count_in_the_share(tmp_path: Path, sums: Store) -> None:
    takes = (
        Take(source="sums", tasks=("sum",), repeat=3),
        Take(source="sums", tasks=("read",), count=20),
    )
    _, summary = run(tmp_path, Mix(take=takes, think_share=0.3), sums=sums)
    assert (summary["seen_per_epoch"], summary["think_share"]) == (80, 0.3)


def test_a_share_that_cannot_be_met_names_the_nearest(tmp_path: Path, sums: Store) -> None:
    with pytest.raises(UserError, match=r"m\.think_share=0\.8 .* 0\.0000 to 0\.5000; set 0\.5000"):
        run(tmp_path, Mix(take=(Take(source="sums"),), think_share=0.8), sums=sums)
    fixed = Mix(take=(Take(source="sums", tasks=("sum",), mode="think"),), think_share=0.5)
    with pytest.raises(UserError, match=r"allow 1\.0000 to 1\.0000; set 1\.0000"):
        run(tmp_path, fixed, sums=sums)


def test_one_record_in_both_modes(tmp_path: Path, sums: Store) -> None:
    takes = [Take(source="sums", tasks=("sum",), mode=mode) for mode in ("think", "nothink")]
    mix, summary = run(tmp_path, Mix(take=tuple(takes)), sums=sums)
    assert (summary["records"], summary["think_share"]) == (40, 0.5)
    assert Counter(Counter(row.id for row in mix.rows).values()) == {2: 20}


def test_a_record_taken_twice_in_one_mode_is_left_out(tmp_path: Path, sums: Store) -> None:
    takes = (Take(source="sums", tasks=("sum",)), Take(source="sums", mode="as_is"))
    mix, summary = run(tmp_path, Mix(take=takes), sums=sums)
    assert summary["records"] == 40
    assert summary["left_out"]["taken before in this mode"] == 20
    assert len(mix.ledger) == 2 * len(sums)


@pytest.mark.parametrize(
    ("take", "says"),
    [
        (Take(source="sums", count=41), r"count=41 is more than the 40 records .* lower it to 40"),
        (Take(source="sums", tasks=("summ",)), "matches no record"),
        (Take(source="sums", mode="think"), "needs reasoning, which 20 of 40 .* only .*: sum"),
        (Take(source="sms"), "did you mean 'sums'"),
    ],
)
def test_what_cannot_be_taken_is_a_user_error(
    tmp_path: Path, sums: Store, take: Take, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        run(tmp_path, Mix(take=(take,)), sums=sums)
    assert not (tmp_path / "mix.parquet").exists()
