"""A verdict is about the artifacts that it was given for, and says so when they are others."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_json
from pellucid.flow.gate import outdated, read_verdict
from pellucid.schema.artifact import MANIFEST, Artifact, Manifest


def artifact(home: Path, name: str, content: str, **parents: str) -> Artifact:
    kind = name.split(".")[0]
    folder = home / "artifacts" / f"{kind}-{name}-{content}"
    folder.mkdir(parents=True)
    named = {key.replace("_", "."): value for key, value in parents.items()}
    manifest = Manifest(kind, name, "k", hash_json(content), 1, {}, named, {})
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    return Artifact(folder, manifest)


def test_a_job_that_was_done_again_makes_the_verdict_an_old_one(tmp_path: Path) -> None:
    rl, again = artifact(tmp_path, "rl", "one"), artifact(tmp_path, "rl", "two")
    release = artifact(tmp_path, "release", "r", rl=rl.hash)
    assert outdated({"rl": rl, "release": release}) == []
    assert outdated({"rl": again, "release": release}) == ["rl"]
    assert outdated({"rl": again}) == []
    jobs = [
        {"name": one.name, "type": one.manifest.type, "artifact": one.path.name,
         "content_hash": one.hash}
        for one in (again, release)
    ]  # fmt: skip
    run = {"name": "mine", "commit": "c", "dirty": False, "jobs": jobs}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UserError, match="run='mine' has a verdict about an earlier rl; run the"):
        read_verdict(tmp_path, "mine")
