"""An operator over a store: done once, gone on with after a kill, the same whoever carries it."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from benchmarks.planted import Row, build, drawn, png
from PIL import Image

from pellucid.base.errors import PellucidError, UserError
from pellucid.data.ops import OPERATORS, Images, Resources
from pellucid.data.ops.base import Over
from pellucid.data.ops.run import run_operator
from pellucid.data.runners import local
from pellucid.store import read_label

CHILD = """
import os, signal, sys
from pathlib import Path
from pellucid.data.ops import OPERATORS
from pellucid.data.ops.run import run_operator
folder, limit, count = Path(sys.argv[1]), int(sys.argv[2]), 0
def hook(event, args):
    global count
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
    if writes or event in ("os.rename", "os.mkdir", "os.remove"):
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
for name in sorted(OPERATORS):
    run_operator(folder, OPERATORS[name]())
print(count)
"""


@dataclass(frozen=True)
class Lengths:
    """Characters of the gold, times a parameter."""

    times: int = 1
    over: Over = "records"
    asks: bool = False
    needs_images: bool = False
    name: str = "lengths"
    version: int = 3
    needs: tuple[str, ...] = ("id", "answer.gold", "images.list.element.sha256")
    gives: pa.Schema = pa.schema([("id", pa.string()), ("length", pa.int32())])
    resources: Resources = Resources()

    @property
    def params(self) -> Mapping[str, Any]:
        return {"times": self.times}

    def run(self, table: pa.Table, images: Images) -> pa.Table:
        if self.asks:
            images(table["images"][0][0]["sha256"].as_py())
        gold = pc.struct_field(table["answer"].combine_chunks(), "gold")
        return pa.table(
            {"length": pc.multiply(pc.utf8_length(gold), self.times), "id": table["id"]}
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = [png(drawn("notices", seed)) for seed in range(3)]
    rows = [Row((pictures[at % 3],), f"What is line {at}?", "x" * at) for at in range(1, 8)]
    build(tmp_path / "store", rows, shard_rows=3)
    return tmp_path / "store"


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "labels").rglob("*"))
        if path.is_file()
    }


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "labels").rglob("*.parquet")}


def test_every_shard_is_read_once_and_joined_by_id(folder: Path) -> None:
    manifest = run_operator(folder, Lengths(times=2))
    assert sorted(manifest["files"]) == [f"shard-{at:06d}.parquet" for at in range(3)]
    labels = read_label(folder, "lengths", 3)
    assert labels.schema.names == ["id", "length"]
    assert sorted(labels["length"].to_pylist()) == [2, 4, 6, 8, 10, 12, 14]


def test_what_is_done_is_not_done_again_and_what_changed_is(folder: Path) -> None:
    first = run_operator(folder, Lengths())
    before = times(folder)
    assert run_operator(folder, Lengths()) == first and times(folder) == before
    assert run_operator(folder, Lengths(times=5))["files"] != first["files"]
    assert max(read_label(folder, "lengths", 3)["length"].to_pylist()) == 35


def test_a_damaged_part_is_made_again(folder: Path) -> None:
    first = run_operator(folder, Lengths())
    (folder / "labels/lengths@3/shard-000001.parquet").write_bytes(b"PAR1 cut off")
    assert run_operator(folder, Lengths()) == first


def test_an_operator_gets_no_image_that_it_did_not_declare(folder: Path) -> None:
    with pytest.raises(PellucidError, match="declares no images"):
        run_operator(folder, Lengths(asks=True))
    run_operator(folder, Lengths(asks=True, needs_images=True))


RAY = pytest.param("ray", marks=pytest.mark.slow)  # a Ray of its own is started: over ten seconds


@pytest.mark.parametrize("runner", ["local", RAY])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_runner_gives_the_same_bytes(folder: Path, runner: str, name: str) -> None:
    if runner == "ray" and not find_spec("ray"):
        pytest.skip("ray is not installed: pip install 'pellucid[ray]'")
    alone = run_operator(folder, OPERATORS[name]())
    whole = tree(folder)
    for path in (folder / "labels").rglob("*.parquet"):
        path.unlink()
    assert run_operator(folder, OPERATORS[name](), runner, workers=2) == alone
    assert tree(folder) == whole


def test_images_of_one_shard_are_shared_out_and_put_together(tmp_path: Path) -> None:
    """More images than one piece holds, in two shards of one pack each, one of them done before."""
    grounds = [png(Image.new("RGB", (30 + at, 40), (at, 255 - at, 90))) for at in range(75)]
    rows = [Row((data,), f"What is line {at}?", "x") for at, data in enumerate(grounds)]
    for name in ("one", "two"):
        build(tmp_path / name, rows, shard_rows=70)
    operator = OPERATORS["image_signature"]()
    alone = run_operator(tmp_path / "one", operator)
    assert run_operator(tmp_path / "two", operator, workers=2) == alone
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    part = tmp_path / "two/labels/image_signature@2/shard-000000.parquet"
    before, whole = times(tmp_path / "two"), part.read_bytes()
    part.unlink()
    assert run_operator(tmp_path / "two", operator, workers=2) == alone
    assert part.read_bytes() == whole
    after = times(tmp_path / "two")
    assert after["shard-000001.parquet"] == before["shard-000001.parquet"]


def test_processes_stay_inside_a_block_and_end_with_it() -> None:
    calls = [set(local.run(process, range(8), 2, Resources())) for _ in range(2)]
    assert not calls[0] & calls[1] and os.getpid() not in calls[0] | calls[1]
    with local.kept():
        kept = [set(local.run(process, range(8), 2, Resources())) for _ in range(2)]
        with local.kept():
            pass
        kept.append(set(local.run(process, range(8), 2, Resources())))
    assert len(set.union(*kept)) <= 2, "never more than two processes in all"
    for pid in set.union(*kept):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def process(_: int) -> int:
    return os.getpid()


def test_without_ray_the_runner_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray.*not installed.*pellucid\[ray\]"):
        run_operator(folder, Lengths(), "ray")
    with pytest.raises(UserError, match="did you mean 'local'"):
        run_operator(folder, Lengths(), "locl")


def child(folder: Path, limit: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CHILD, str(folder), str(limit)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=dict(os.environ))


def kills(moments: int) -> Iterator[int]:
    yield from range(2, moments + 1, max(1, moments // 6))


def test_killed_and_called_again_the_labels_are_the_same(folder: Path) -> None:
    done = child(folder, 0)
    assert done.returncode == 0, done.stderr
    whole, moments = tree(folder), int(done.stdout)
    assert moments > 8
    for limit in kills(moments):
        shutil.rmtree(folder / "labels")
        assert child(folder, limit).returncode == -signal.SIGKILL
        assert child(folder, 0).returncode == 0
        assert tree(folder) == whole, f"killed at moment {limit}"
