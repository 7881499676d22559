"""Jobs, keys and artifacts: built once, skipped after, never half there."""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import DiskError, UserError
from pellucid.flow.job import Job, Work
from pellucid.flow.run import Selection, ancestors, record, recorded, select
from pellucid.flow.runs import clean
from pellucid.flow.workspace import Workspace
from pellucid.recipe import load
from pellucid.schema.artifact import Artifact

CLOCK = count()
"""Stands in for what differs from run to run."""


def job(
    name: str = "mix.a",
    *,
    told: Mapping[str, Any] | None = None,
    version: int = 1,
    parents: tuple[str, ...] = (),
    work: Callable[[Work], None] | None = None,
) -> Job:
    def write(it: Work) -> None:
        (it.folder / "out.txt").write_text(name, encoding="utf-8")
        (it.folder / "timing").mkdir(exist_ok=True)
        (it.folder / "timing" / "t.txt").write_text(str(next(CLOCK)), encoding="utf-8")

    return Job(name, name.split(".")[0], version, told or {"a": 1}, parents, work or write)


def test_a_key_follows_slice_version_name_and_parents(tmp_path: Path) -> None:
    parent = Workspace(tmp_path).build(job("data.x"), {})
    other = Workspace(tmp_path).build(job("data.x", told={"a": 2}, work=lambda it: (
        it.folder / "out.txt").write_text("other") and None), {})  # fmt: skip
    keys = [
        job().key({}),
        job(told={"a": 2}).key({}),
        job(version=2).key({}),
        job("mix.b").key({}),
        job(parents=("data.x",)).key({"data.x": parent}),
        job(parents=("data.x",)).key({"data.x": other}),
    ]
    assert len(set(keys)) == len(keys)
    assert job().key({}) == job().key({})


def test_a_job_is_built_once_and_found_after(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.find(job(), {}) is None
    built = workspace.build(job(), {})
    assert workspace.find(job(), {}) == built
    assert (built.path / "out.txt").read_text("utf-8") == "mix.a"
    assert workspace.find(job(told={"a": 2}), {}) is None


def test_timing_stays_outside_the_content_hash(tmp_path: Path) -> None:
    one = Workspace(tmp_path / "one").build(job(), {})
    two = Workspace(tmp_path / "two").build(job(), {})
    assert one.hash == two.hash
    assert one.manifest.files["timing/t.txt"] != two.manifest.files["timing/t.txt"]


def test_a_failed_job_leaves_no_artifact_and_resumes_in_its_folder(tmp_path: Path) -> None:
    def fail(it: Work) -> None:
        (it.folder / "unit-0").write_text("done", encoding="utf-8")
        raise ValueError("killed")

    def go_on(it: Work) -> None:
        assert (it.folder / "unit-0").read_text("utf-8") == "done"
        (it.folder / "unit-1").write_text("done", encoding="utf-8")

    workspace = Workspace(tmp_path)
    with pytest.raises(ValueError, match="killed"):
        workspace.build(job(work=fail), {})
    assert workspace.find(job(), {}) is None
    assert sorted(workspace.build(job(work=go_on), {}).manifest.files) == ["unit-0", "unit-1"]


def test_work_that_is_not_continued_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(work: Work) -> None:
        (work.folder / "unit").write_text("done")
        raise ZeroDivisionError

    for threads, told in (("1", False), ("1", False), ("2", True)):
        monkeypatch.setattr(
            "pellucid.flow.workspace.environment", lambda threads=threads: {"threads": threads}
        )
        with pytest.raises(ZeroDivisionError):
            Workspace(tmp_path).build(job(work=fail), {})
        assert ("is not continued" in capsys.readouterr().err) == told


def test_force_throws_away_what_was_there(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = workspace.build(job(), {})
    (first.path / "out.txt").write_text("edited by hand", encoding="utf-8")
    again = workspace.build(job(), {}, fresh=True)
    assert (again.path / "out.txt").read_text("utf-8") == "mix.a"


@pytest.mark.parametrize("harm", ["edit", "remove", "manifest"])
def test_a_damaged_artifact_is_refused(tmp_path: Path, harm: str) -> None:
    workspace = Workspace(tmp_path)
    artifact = workspace.build(job(), {})
    if harm == "edit":
        (artifact.path / "out.txt").write_text("mix.b", encoding="utf-8")
    elif harm == "remove":
        (artifact.path / "out.txt").unlink()
    else:
        (artifact.path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="--only mix.a --force|remove this folder"):
        workspace.find(job(), {})


def test_a_file_in_place_of_the_workspace_is_one_clear_line(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("in the way", encoding="utf-8")
    with pytest.raises(DiskError, match="not a folder|in the way"):
        Workspace(home).build(job(), {})


def test_the_manifest_names_parents_and_slice(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    parent = workspace.build(job("data.x"), {})
    child = workspace.build(job(parents=("data.x",)), {"data.x": parent})
    tree = json.loads((child.path / "manifest.json").read_text("utf-8"))
    assert tree["parents"] == {"data.x": parent.hash}
    assert tree["slice"] == {"a": 1} and tree["version"] == 1


def graph() -> list[Job]:
    return [
        job("data.x"),
        job("mix.a", parents=("data.x",)),
        job("train.one", parents=("mix.a",)),
        job("eval.one", parents=("train.one", "data.x")),
    ]


def test_selection_by_name_type_and_start() -> None:
    assert select(graph(), Selection()) == {"data.x", "mix.a", "train.one", "eval.one"}
    assert select(graph(), Selection(only=("train",))) == {"train.one"}
    assert select(graph(), Selection(start="train.one")) == {"train.one", "eval.one"}
    with pytest.raises(UserError, match="did you mean 'train'"):
        select(graph(), Selection(only=("trian",)))


def test_ancestors_go_all_the_way_up() -> None:
    assert ancestors(graph(), {"train.one"}) == {"mix.a", "data.x"}


def test_artifacts_of_other_parents_are_not_reused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    found: dict[str, Artifact] = {}
    for text in ("one", "two"):

        def write(it: Work, text: str = text) -> None:
            (it.folder / "out.txt").write_text(text, encoding="utf-8")

        parent = workspace.build(job("data.x", told={"text": text}, work=write), {})
        found[text] = workspace.build(job(parents=("data.x",)), {"data.x": parent})
    assert found["one"].path != found["two"].path


def test_a_forced_job_that_fails_leaves_the_old_result(tmp_path: Path) -> None:
    def fail(it: Work) -> None:
        raise ValueError("no room")

    workspace = Workspace(tmp_path)
    old = workspace.build(job(), {})
    with pytest.raises(ValueError, match="no room"):
        workspace.build(job(work=fail), {}, fresh=True)
    assert workspace.find(job(), {}) == old


def test_an_artifact_says_what_it_was_made_with(tmp_path: Path) -> None:
    told = Workspace(tmp_path).build(job(), {}).manifest.environment
    assert {"torch", "pillow", "pyarrow", "threads"} <= told.keys()


def test_a_run_that_stops_half_way_forgets_nothing(tmp_path: Path) -> None:
    workspace, recipe = Workspace(tmp_path), load("smoke")
    folder = workspace.run_folder("smoke")
    folder.mkdir()
    jobs = [job("data.x"), job("mix.a", parents=("data.x",))]
    data = workspace.build(jobs[0], {})
    mix = workspace.build(jobs[1], {"data.x": data})
    record(folder, recipe, jobs, {"data.x": data, "mix.a": mix}, {})
    whole = recorded(folder)
    record(folder, recipe, jobs, {"data.x": data}, recorded(folder))
    assert recorded(folder) == whole and list(whole) == ["data.x", "mix.a"]


def test_only_and_from_together_are_refused() -> None:
    with pytest.raises(UserError, match="give one of the two"):
        select(graph(), Selection(only=("mix",), start="train"))


def test_clean_keeps_what_is_used_and_what_is_being_built(tmp_path: Path) -> None:
    workspace, recipe = Workspace(tmp_path), load("smoke")
    folder = workspace.run_folder("smoke")
    folder.mkdir()
    kept = workspace.build(job("data.x"), {})
    lost = workspace.build(job("data.y"), {})
    record(folder, recipe, [job("data.x")], {"data.x": kept}, {})

    def while_building(it: Work) -> None:
        assert it.folder.name.removeprefix(".partial-")[:30] not in "".join(
            clean(tmp_path, (), True)
        )
        (it.folder / "out").write_bytes(b"1")

    workspace.build(job("data.z", work=while_building), {})
    gone = clean(tmp_path, (), False)
    assert f"artifacts/{lost.path.name}" in gone and kept.path.is_dir()
    assert not lost.path.exists()


def test_labels_of_a_store_are_no_content(tmp_path: Path) -> None:
    """A store that was looked at again gives its children the hash that it had before."""

    def labelled(verdict: str) -> Job:
        def write(it: Work) -> None:
            (it.folder / "store.json").write_text("{}", encoding="utf-8")
            (it.folder / "labels" / "triage@1").mkdir(parents=True)
            (it.folder / "labels" / "triage@1" / "a.parquet").write_text(verdict, encoding="utf-8")

        return job("data.own", told={"labels": verdict}, work=write)

    workspace = Workspace(tmp_path)
    before, after = (workspace.build(labelled(one), {}) for one in ("good", "poor"))
    assert before.path != after.path and before.hash == after.hash
    assert (after.path / "labels/triage@1/a.parquet").read_text("utf-8") == "poor"
    (after.path / "labels/triage@1/a.parquet").write_text("judged anew", encoding="utf-8")
    assert workspace.find(labelled("poor"), {}) == after, "labels may come later"
    (after.path / "store.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="is not the file that was written"):
        workspace.find(labelled("poor"), {})
