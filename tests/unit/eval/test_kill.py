"""An evaluation killed with signal 9 before any of its file operations ends with the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

RUNNER = """
import hashlib, json, os, runpy, signal, sys
from pathlib import Path
from pellucid import store
from pellucid.eval.run import evaluate

root = Path(sys.argv[1])
shared = runpy.run_path(sys.argv[2])

def forked(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

def run(folder, limit=0):
    def work():
        stores = {"set": store.open(root / "store")}
        options = shared["make_options"](modes=("think",), chunk_items=7, latency_items=1)
        count = 0
        def hook(event, args):
            nonlocal count
            writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
            if writes or event in ("os.rename", "os.mkdir", "os.remove"):
                count += 1
                if count == limit:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        sys.stderr = open(os.devnull, "w")
        evaluate(options, stores, shared["TableGenerator"](), "long", "c" * 64, folder)
        (root / "operations").write_text(str(count))
    return forked(work)

def tree(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "timing" not in path.relative_to(folder).parts}

assert forked(lambda: shared["build_store"](root / "store")) == 0
assert run(root / "whole") == 0
whole, operations = tree(root / "whole"), int((root / "operations").read_text())
results = []
for number in range(1, operations + 1):
    folder = root / str(number)
    codes = [run(folder, number), run(folder)]
    results.append([codes, tree(folder) == whole])
print(json.dumps([operations, sorted(whole), results]))
"""


def test_killed_before_every_file_operation(tmp_path: Path) -> None:
    shared = Path(__file__).with_name("conftest.py")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(tmp_path), str(shared)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    operations, files, results = json.loads(done.stdout)
    assert operations > 20, "the hook sees the evaluation's file operations"
    assert "report.json" in files and "rows/charts.think/00001.jsonl" in files
    for number, (codes, same) in enumerate(results, start=1):
        assert codes == [-9, 0], f"operation {number}: {codes}"
        assert same, f"killed at operation {number}, the evaluation differs from an unbroken one"
