"""Text statistics through the command, as a user calls it, and a mix that goes by them."""

import json
from pathlib import Path

import pytest
import yaml
from tests.e2e.command import pellucid
from tests.unit.data.mixes import Row, build, run

from pellucid import store
from pellucid.recipe.mix import Mix
from pellucid.store import read_label

PAGE = Path(__file__).resolve().parents[2] / "docs" / "text-statistics.md"
LOOP = "wait, let me look at the second bar from the left again. " * 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [
        Row("What is shown?", reasoning="A chart of five bars.", gold="a chart"),
        Row("And here?", reasoning=LOOP, gold="a chart"),
        Row("Why?", gold="-"),
    ]
    build(tmp_path / "train", rows, [[0, 1], [2]])
    return tmp_path


def test_the_command_of_the_page_and_the_mix_of_the_page(home: Path) -> None:
    page = PAGE.read_text("utf-8")
    (line,) = page.split("```sh\n")[1].split("```")[0].splitlines()
    done = pellucid(*line.split()[1:], cwd=home)
    assert done.returncode == 0, done.stderr
    assert all(len(row) <= 80 for row in done.stdout.splitlines())
    written = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    where = written["data"]["mixes"]["instruct"]["where"]
    mix = Mix.model_validate({"take": [{"source": "x"}], "where": where})
    _, summary = run(home / "mix", mix, x=store.open(home / "train"))
    assert summary["left_out"] == {"label reply_stats@1: repeated_10_grams is over 0.1": 1}


def test_whose_words(home: Path) -> None:
    for of, name in (
        ("all", "text_stats"),
        ("question", "question_stats"),
        ("reply", "reply_stats"),
    ):
        done = pellucid("data", "measure", "train", "--of", of, "--json", cwd=home)
        found = json.loads(done.stdout)
        assert (found["label"], found["records"]) == (f"{name}@1", 3)
        told = sorted(read_label(home / "train", name, 1)["characters"].to_pylist())
        asked, said = [14, 9, 4], [21 + 1 + 7, len(LOOP) + 1 + 7, 1]
        both = [a + 1 + b for a, b in zip(asked, said, strict=True)]
        assert told == sorted({"all": both, "question": asked, "reply": said}[of])
        assert found["columns"]["characters"][::4] == [told[0], told[-1]]


def test_a_wrong_path_is_one_line(home: Path) -> None:
    done = pellucid("data", "measure", "none", cwd=home)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "is no folder of a store" in done.stderr
    done = pellucid("data", "measure", "train", "train", cwd=home)
    assert done.returncode == 2 and "is named twice" in done.stderr


def test_a_fact_of_ones_own(home: Path) -> None:
    code = "def fact(record, images, plus=0):\n"
    code += "    return {'long': len(record.messages[0].text) + plus, 'gold': record.answer.gold}\n"
    (home / "mine.py").write_text(code, encoding="utf-8")
    asked = ("data", "measure", "train", "--op", "mine.py:fact", "--option", "plus=2")
    columns = ("--gives", "long=number", "--gives", "gold=text")
    done = pellucid(*asked, *columns, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    told = read_label(home / "train", "fact", 1).to_pylist()
    asked_chars = [record.messages[0].text for record in store.open(home / "train").records()]
    assert sorted(row["long"] for row in told) == sorted(len(text) + 2 for text in asked_chars)
    assert found["label"] == "fact@1" and sum(found["counts"]["gold"].values()) == 3
    shown = pellucid(*asked, *columns, cwd=home)
    assert shown.returncode == 0 and "labels/fact@1" in shown.stdout
    for wrong, says in (
        (("--gives", "long"), "--gives='long' is not of the form a=b"),
        (("--gives", "long=much"), "gives.long"),
        (("--option", "other=1"), "unexpected keyword argument 'other'"),
        (("--gives", "long=number"), "columns that were not declared (gold)"),
    ):
        refused = pellucid("data", "measure", "train", "--op", "mine.py:fact", *wrong, cwd=home)
        assert refused.returncode == 2 and says in refused.stderr, (wrong, refused.stderr)
        assert "Traceback" not in refused.stderr
