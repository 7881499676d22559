"""The Python API: the same nouns as the command line, and nothing imported before it is used."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.conftest import BLUE, RED

import pellucid
from pellucid.base.errors import DiskError, UserError
from pellucid.flow.api import Model
from pellucid.flow.chat import Conversation


def test_each_question_stands_by_itself(make_engine: Any, tmp_path: Path) -> None:
    model = Model(Conversation(make_engine(knows=True)))
    (tmp_path / "red.png").write_bytes(RED)
    assert model.answer("Which colour?", tmp_path / "red.png", mode="nothink").answer == "red"
    assert model.answer("Which colour?", BLUE, mode="nothink").answer == "blue"
    assert (
        model.answer("Which colour?", [str(tmp_path / "red.png")], mode="nothink").answer == "red"
    )
    rollout = model.answer("2 + 3?", mode="think")
    assert (rollout.answer, rollout.chosen, rollout.outcome) == ("It is 5.", "think", "answered")


def test_what_cannot_be_asked_is_one_clear_error(make_engine: Any, tmp_path: Path) -> None:
    model = Model(Conversation(make_engine(knows=True)))
    assert model.answer("2 + 3?", mode="think", max_tokens=2).answer is None
    with pytest.raises(UserError, match="question='' is empty"):
        model.answer("")
    with pytest.raises(UserError, match="cannot be asked: .*readable image .*no known format"):
        model.answer("Which colour?", b"no picture")
    with pytest.raises(DiskError, match=r"reading '.*none\.png': no such file or folder"):
        model.answer("Which colour?", tmp_path / "none.png")
    with pytest.raises(UserError, match="none"):
        pellucid.load("none", home=tmp_path)
    with pytest.raises(UserError, match=r"no-such.yaml"):
        pellucid.run("no-such.yaml", home=tmp_path)


def test_a_run_from_python_is_the_run_of_the_command(tmp_path: Path) -> None:
    """One source of a recipe, overridden; the record store opens under its own noun."""
    sets = {
        "data.sources.charts.scenes": 3,
        "data.sources.charts.split": "{validation: 0, test: 0}",
    }
    found = pellucid.run("smoke", sets=sets, home=tmp_path, only=["data.charts"])
    assert found.result.built == ("data.charts",)
    opened = pellucid.store.open(found.result.artifacts["data.charts"].path)
    assert len({record.source.row for record in opened.records()}) == 3
    again = pellucid.run("smoke", sets=sets, home=tmp_path, only=["data.charts"])
    assert again.result.built == ()


def test_nothing_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, pellucid\n"
        "assert not {'torch', 'pydantic', 'pellucid.flow'} & set(sys.modules)\n"
        "pellucid.store.open, pellucid.run\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        pellucid.lod  # noqa: B018
