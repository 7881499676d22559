"""kill -9 in the middle of a run of 2,400 calls, several times: nothing bought twice or lost."""

import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tests.e2e.command import PELLUCID, pellucid
from tests.unit.data.teacher.things import endpoint_file, make_store, teacher
from tests.unit.endpoint.loopback import Act, Body, Server, echo, serving

RECORDS, K, MOST, KILLS = 600, 4, 16, 4


def command(to: str, *more: object) -> list[object]:
    return ["data", "teach", "store", "--endpoint", "teacher.yaml", "--k", K, "--to", to, *more]


def run_killed(folder: Path, server: Server, after: int) -> None:
    """Run until the server has seen `after` further requests, and end the process at that one."""
    limit = len(server.requests) + after
    child: list[subprocess.Popen[bytes]] = []

    def act(number: int, body: Body) -> Act:
        if number >= limit and child and child[0].poll() is None:
            os.kill(child[0].pid, signal.SIGKILL)
        return teacher(number, body)

    server.act = act
    words = [str(word) for word in command("killed/rows.jsonl")]
    child.append(
        subprocess.Popen([PELLUCID, *words], cwd=folder, stderr=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL)
    )  # fmt: skip
    assert child[0].wait(timeout=300) == -signal.SIGKILL


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "sqlite" not in path.name
    }


def calls(folder: Path, to: str) -> list[dict[str, Any]]:
    assert pellucid(*command(to, "--dry-run", "--calls", "c.parquet"), cwd=folder).returncode == 0
    rows: list[dict[str, Any]] = pq.read_table(folder / "c.parquet").to_pylist()
    return rows


def test_kills_cost_what_was_in_flight_and_nothing_else(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_store(tmp_path / name / "store", RECORDS)
    draw = random.Random(20)
    with serving(teacher) as server:
        told = {"concurrency": {"start": MOST, "most": MOST}}
        for name in ("one", "two"):
            endpoint_file(tmp_path / name / "teacher.yaml", server.url, **told)
        for _ in range(KILLS):
            run_killed(tmp_path / "two", server, draw.randrange(30, 500))
        server.act = teacher
        done = pellucid(*command("killed/rows.jsonl", "--json"), cwd=tmp_path / "two")
        assert done.returncode == 0, done.stderr[-2000:]
        sent = Counter(echo(body) for _, body, _ in server.requests)
        requests = len(server.requests)
        whole = pellucid(*command("killed/rows.jsonl"), cwd=tmp_path / "one")
        assert whole.returncode == 0 and len(server.requests) - requests == RECORDS * K
    rows = calls(tmp_path / "two", "killed/rows.jsonl")
    statuses = Counter(row["status"] for row in rows)
    bought = Counter(row["key"] for row in rows if row["status"] not in ("lost", "retryable"))
    assert len(bought) == RECORDS * K and set(bought.values()) == {1}, "one answer for each call"
    lost = {row["key"] for row in rows if row["status"] == "lost"}
    assert 0 < statuses["lost"] <= KILLS * MOST, "repeats are bounded by what was in flight"
    # The row is written before its request: the server never saw more than the ledger has.
    assert RECORDS * K <= requests <= len(rows)
    assert sum(count - 1 for count in sent.values()) <= statuses["lost"]
    assert len([one for one in sent.values() if one > 1]) <= len(lost)
    assert (
        json.loads(done.stdout)["planned"]["had"]
        == RECORDS * K - json.loads(done.stdout)["ended"]["bought"]
    )
    assert tree(tmp_path / "two" / "killed") == tree(tmp_path / "one" / "killed")
    labels = "store/labels"
    assert tree(tmp_path / "two" / labels) == tree(tmp_path / "one" / labels)
