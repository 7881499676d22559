"""What the benchmark of repairs counts, on stand-ins whose results are known beforehand."""

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pellucid.data.faults.corpus import Planted

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "repair.py"
FLAG = SimpleNamespace(op="doubt")
STAND_INS = """
from types import SimpleNamespace

def nothing(row):
    return SimpleNamespace(row=row, changes=(), flags=())

def seven(row):
    return SimpleNamespace(row={**row, "a": 7}, changes=(SimpleNamespace(op="seven"),), flags=())
"""


def key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_repairs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = load()
ROWS = [one for one, _ in BENCHMARK.planted_here(3, 400, None, 0.0)]
KEPT = {key(one.faulty): one.clean for one in ROWS if one.clean is not None}


def ended(row: Any, *flags: Any) -> SimpleNamespace:
    return SimpleNamespace(row=row, changes=(), flags=flags)


def measure(
    repair: Callable[[Any], Any],
    contradictions: Callable[[Sequence[Any]], list] = lambda rows: [],
    planted: Sequence[tuple[Planted, bool]] | None = None,
) -> Any:
    rows = [(one, one.repairable) for one in ROWS] if planted is None else planted
    return BENCHMARK.measure(rows, repair, contradictions)


def met(found: Any) -> list[bool]:
    return [figure.met for figure in BENCHMARK.figures(found)]


def oracle(row: Any) -> SimpleNamespace:
    known = KEPT.get(key(row), row)
    return ended(copy.deepcopy(known))


def all_added(rows: Sequence[Any]) -> list[tuple[int, Any]]:
    """Rows that are one of two on the same pictures and question."""
    asked = [key([row.get("image"), row.get("conversations", [])[:-1]]) for row in rows
             if isinstance(row.get("conversations"), list)]  # fmt: skip
    return [(at, FLAG) for at, row in enumerate(rows)
            if row.get("image") and isinstance(row.get("conversations"), list)
            and asked.count(key([row.get("image"), row["conversations"][:-1]])) > 1]  # fmt: skip


def test_who_knows_all_clean_rows_reaches_every_figure() -> None:
    found = measure(oracle, all_added)
    assert met(found) == [True] * 5 and found.restless == 0
    assert all(kind.outcomes["equal"] == kind.planted for kind in found.kinds.values()
               if kind.repairable)  # fmt: skip
    assert found.kinds["answers_contradict"].outcomes == {"flagged": sum(
        one.beside is not None for one in ROWS)}  # fmt: skip
    assert found.clean == 400 and found.flagged == 0
    without = measure(oracle)
    assert without.kinds["answers_contradict"].outcomes.keys() == {"unseen"}


def test_who_does_nothing_mends_nothing_and_spoils_nothing() -> None:
    found = measure(ended)
    assert met(found) == [False, False, False, True, True]
    assert sum(kind.caught for kind in found.kinds.values()) == 0
    assert {name for kind in found.kinds.values() for name in kind.outcomes} <= {
        "unseen", "same record",
    }  # fmt: skip


def test_who_flags_everything_fails_on_clean_rows() -> None:
    found = measure(lambda row: ended(row, FLAG))
    assert met(found) == [False, False, True, False, True]
    assert found.flagged == found.clean == 400 and found.ops["doubt"] == 400


def test_who_changes_in_place_is_seen_to() -> None:
    def spoil(row: Any) -> Any:
        row["spoilt"] = row.get("spoilt", 0) + 1
        return ended(row)

    found = measure(spoil)
    assert found.changed == 400 and not met(found)[4] and found.restless >= 800
    wrong = sum(kind.outcomes["changed wrongly"] for kind in found.kinds.values())
    assert wrong == sum(kind.planted for kind in found.kinds.values()) > 390
    assert all("spoilt" not in one.faulty for one in ROWS)


def test_who_raises_is_counted_and_not_believed() -> None:
    def fall(row: Any) -> Any:
        raise KeyError("turns")

    found = measure(fall)
    assert met(found) == [False] * 3 + [True, False]
    assert all(kind.outcomes["raised"] == kind.planted for kind in found.kinds.values())


def test_an_outcome_is_told_by_the_row_and_then_by_its_flags() -> None:
    talk = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    clean = {"conversations": talk, "image": "p"}
    planted = Planted(clean, {"conversations": talk, "image": ["p", "q"]}, ("k",))
    spelt = {"conversations": talk, "image": ["p"]}
    for row, flags, outcome, caught in (
        (clean, (), "equal", 1),
        (clean, (FLAG,), "equal", 1),
        (spelt, (), "same record", 0),
        (spelt | {"task": "t"}, (), "changed wrongly", 0),
        (spelt | {"task": "t"}, (FLAG,), "flagged", 1),
        (planted.faulty, (), "unseen", 0),
        (planted.faulty, (FLAG,), "flagged", 1),
    ):
        found = measure(
            lambda _, row=row, flags=flags: ended(row, *flags), planted=[(planted, True)]
        )
        assert (found.kinds["k"].outcomes, found.kinds["k"].caught) == ({outcome: 1}, caught)


def test_the_kinds_are_judged_one_by_one_too() -> None:
    """Nine rows in ten may come back while one kind in three never does."""
    rows = [Planted({"n": at}, {"n": -at}, ("a" if at < 50 else "b" if at < 95 else "c",))
            for at in range(1, 101)]  # fmt: skip
    found = measure(lambda row: ended({"n": abs(row["n"])} if row["n"] > -95 else row),
                    planted=[(one, True) for one in rows])  # fmt: skip
    assert met(found)[:2] == [True, False]
    assert [round(figure.value, 4) for figure in BENCHMARK.figures(found)[:2]] == [0.94, 0.6667]


def test_a_share_of_nothing_is_not_met() -> None:
    found = measure(ended, planted=[])
    assert met(found) == [False] * 5 and "NaN" not in json.dumps(
        [vars(figure) for figure in BENCHMARK.figures(found)]
    )
    assert "-" in "\n".join(BENCHMARK.lines(found))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stand_ins.py").write_text(STAND_INS, "utf-8")
    paths = [str(tmp_path), *(path for path in sys.path if path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    return tmp_path


def test_a_fault_set_from_elsewhere_and_a_repair_from_elsewhere(stand_ins: Path) -> None:
    pairs = stand_ins / "pairs.jsonl"
    rows = [
        {"clean": {"a": 7}, "faulty": {"a": 1}, "kinds": ["one"], "repairable": True},
        {"clean": {"a": 7}, "faulty": {"a": 7}, "kinds": []},
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    to = stand_ins / "found.json"
    done = run("--pairs", pairs, "--repair", "stand_ins:seven", "--check", "--json", to)
    assert done.returncode == 0, done.stderr + done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(to.read_text("utf-8"))
    assert found["kinds"]["one"]["equal"] == 1 and found["clean"]["changed"] == 0
    assert all(figure["met"] for figure in found["figures"])
    done = run("--pairs", pairs, "--repair", "stand_ins:nothing", "--check", "--show", "1")
    assert done.returncode == 1 and '-- one: unseen, flags []\n   clean  {"a": 7}' in done.stdout


def test_a_clean_row_is_not_blamed_for_its_faulty_copy() -> None:
    clean = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
             "image": "p"}  # fmt: skip
    faulty = copy.deepcopy(clean)
    faulty["conversations"][1]["value"] = "b"
    rows = [(Planted(clean, clean, ()), True), (Planted(clean, faulty, ("k",)), False)]
    found = measure(ended, all_added, rows)
    assert (found.clean, found.flagged) == (1, 0) and found.kinds["k"].caught == 0


def test_own_rows_are_clean_and_each_gets_a_fault(stand_ins: Path) -> None:
    own, to = stand_ins / "own.json", stand_ins / "found.json"
    talk = [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "a"}]
    sound = [{"image": f"{at}.png", "conversations": talk} for at in range(30)]
    own.write_text(json.dumps([*sound, {"image": "unsound"}]), "utf-8")
    done = run("--own", own, "--repair", "stand_ins:nothing", "--json", to)
    assert done.returncode == 0, done.stderr
    found = json.loads(to.read_text("utf-8"))
    assert found["clean"]["rows"] == 30 and len(found["kinds"]) > 10
    assert sum(kind["planted"] for kind in found["kinds"].values()) == 30


def test_the_corpus_through_the_command(stand_ins: Path) -> None:
    done = run("--repair", "stand_ins:nothing", "--rows", "150", "--two", "0.3")
    assert done.returncode == 0, done.stderr
    assert "clean rows: 150, flagged 0, changed 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--pairs", "none.jsonl"], "is no file"),
        (["--own", "none.jsonl"], "none.jsonl"),
        (["--pairs", "{}/stand_ins.py"], "is no pair of rows"),
        (["--repair", "nowhere_at_all:x"], "cannot be imported"),
        (["--repair", "stand_ins:x"], "names no function"),
        (["--rows", "0"], "is no number of rows"),
        (["--two", "2"], "two=2.0 is no share"),
        (["--kinds", "mojibak"], "did you mean 'mojibake'"),
    ],
)
def test_a_wrong_word_is_one_line(stand_ins: Path, words: list[str], told: str) -> None:
    words = ["--repair", "stand_ins:nothing", *(word.format(stand_ins) for word in words)]
    done = run(*words)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
