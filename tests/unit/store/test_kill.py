"""A writer killed with signal 9, at any file operation or any moment, leaves nothing behind.

A child process builds a store of two shards that share a picture. It is killed by its own audit
hook just before its n-th file operation (open for writing, rename, mkdir, unlink, rmdir), for
every n, or by us after a random time; then the same call runs again. The children are forks of
one process that has imported everything, so that each takes milliseconds.
"""

import json
import subprocess
import sys
from pathlib import Path

RUNNER = """
import hashlib, json, os, random, signal, sys, time
from io import BytesIO
from pathlib import Path
from PIL import Image
from pellucid.schema.record import Answer, Source, assistant, make_record, user
from pellucid.store import Dropped, Writer

def png(n):
    out = BytesIO()
    Image.new("RGB", (20 + n, 30), (n * 9, 0, 200)).save(out, "PNG")
    return out.getvalue()

def build(folder):
    writer = Writer(folder)
    for shard in range(2):
        name = f"shard-{shard}"
        if writer.done(name):
            continue
        records = []
        for row in range(2):
            ref = writer.image(png(shard + row))
            records.append(make_record(
                messages=(user(0, "How wide?"), assistant(str(ref.width))), images=(ref,),
                answer=Answer("number", str(ref.width)), task="width", domain="tests",
                source=Source("set", "train", shard * 3 + row, "CC0-1.0")))
        writer.shard(name, records, [Dropped(shard * 3 + 2, "x", "a reason")])
    writer.finish()

def child(folder, limit):
    count = 0
    def hook(event, args):
        nonlocal count
        writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
        if writes or event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir"):
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    build(folder)
    (folder.parent / "operations").write_text(str(count))

def run(folder, limit=0, after=None):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child(folder, limit)
            code = 0
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

def tree(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}

root, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
started = time.monotonic()
assert run(root / "whole") == 0
took, whole = time.monotonic() - started, tree(root / "whole")
operations = int((root / "operations").read_text())
rng, results = random.Random(7), []
for number in range(operations if plan == "every" else 4):
    folder = root / str(number)
    if plan == "every":
        codes = [run(folder, number + 1)]
    else:
        codes = [run(folder, after=rng.uniform(0, took)) for _ in range(4)]
    codes.append(run(folder))
    results.append([codes, tree(folder) == whole])
print(json.dumps([operations, results]))
"""


def kill(folder: Path, plan: str) -> tuple[int, list[tuple[list[int], bool]]]:
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(folder), json.dumps(plan)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_at_every_file_operation(tmp_path: Path) -> None:
    operations, results = kill(tmp_path, "every")
    assert operations > 30, "the hook sees the writer's file operations"
    for number, (codes, same) in enumerate(results, start=1):
        assert codes == [-9, 0], f"operation {number}: {codes}"
        assert same, f"killed at operation {number}, the store differs from an unbroken one"


def test_killed_four_times_at_random_moments(tmp_path: Path) -> None:
    _, results = kill(tmp_path, "random")
    assert all(codes[-1] == 0 and same for codes, same in results)
    assert any(-9 in codes for codes, _ in results), "no kill came before the end"
