"""Mixes of older recipes keep their content; the hashes are those of the code before queries."""

from pathlib import Path

import pytest
from tests.unit.data.mixes import Row, build, run

from pellucid.base.hashing import hash_json
from pellucid.recipe import load
from pellucid.recipe.mix import Mix, Take, Where, told
from pellucid.store import Store

ROWS = [
    Row(f"q{n % 41}", ("train", "train", "train", "validation", "test")[n * 7 % 5], "abc"[n % 3],
        "Steps." if n % 4 == 0 else None, gold=str(n % 3))
    for n in range(120)
]  # fmt: skip
MIXES = {
    "all": Mix(take=(Take(source="x"),)),
    "counted": Mix(take=(Take(source="x", tasks=("a", "b"), count=9, repeat=3),), seed=5),
    "shared": Mix(
        take=(Take(source="x", repeat=2), Take(source="y", tasks=("c",), count=5)), think_share=0.2
    ),
    "both": Mix(
        take=(
            Take(source="x", count=20, mode="nothink"), Take(source="x", count=30),
            Take(source="y", split="validation"),
        ),
        think_share=0.1,
    ),
}  # fmt: skip
GOLDEN = {
    "all": "1bb77c7e847b6b77",
    "counted": "3723e4c3f531e740",
    "shared": "31cc781cbfcc7dbb",
    "both": "7129550e5ad0b7ac",
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    folder = tmp_path_factory.mktemp("golden")
    return {name: build(folder / name, ROWS) for name in ("x", "y")}


@pytest.mark.parametrize("name", MIXES)
def test_what_a_mix_holds_stays(tmp_path: Path, stores: dict[str, Store], name: str) -> None:
    mix, summary = run(tmp_path / "m", MIXES[name], seed=3, **stores)
    rows = [[row.id, row.repeat, row.mode] for row in mix.rows]
    ledger = [[row.take, row.source, row.id, row.decision, row.reason] for row in mix.ledger]
    assert hash_json([rows, ledger, summary])[:16] == GOLDEN[name]


def test_a_slice_of_before_is_a_slice_of_now() -> None:
    """Fields that came later stand in a job's key only where they are used."""
    assert told(load("smoke").data.mixes["instruct"]) == {
        "take": [
            {"source": name, "split": "train", "tasks": [], "count": None, "repeat": 1,
             "mode": "as_is"}
            for name in ("charts", "shapes", "real")
        ],
        "think_share": 0.2,
        "seed": 0,
    }  # fmt: skip
    used = Mix(
        take=(Take(source="x", share=1.0),), total=5,
        where=(Where(label="a@1", column="b", is_="c"),),
    )  # fmt: skip
    assert told(used)["total"] == 5 and told(used)["take"][0]["share"] == 1.0
    assert told(used)["where"][0]["is"] == "c" and "licences" not in told(used)
