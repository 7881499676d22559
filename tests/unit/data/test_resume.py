"""Builds killed with signal 9 go on and end with the bytes of an unbroken build."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

RUNNER = """
import hashlib, json, os, signal, sys
from pathlib import Path
from pellucid.data import build_source
from pellucid.data import rows as row_import
from pellucid.data.sources import scenes
from pellucid.recipe.data import ScenesSource, ShapesScene
from pellucid.recipe.rows import LlavaJsonSource

root, rows = Path(sys.argv[1]), sys.argv[2]
scenes.SHARD_SCENES = row_import.SHARD_ROWS = 2
sources = {
    "drawn": ScenesSource(scene=ShapesScene(), scenes=6),
    "real": LlavaJsonSource(path=rows, dataset="real", licence="MIT", on_fault="drop"),
}

def child(name, folder, limit):
    count = 0
    def hook(event, args):
        nonlocal count
        if event in ("os.rename", "os.remove", "os.rmdir"):
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    build_source(name, sources[name], 0, folder)
    (root / "count").write_text(str(count))

def run(name, folder, limit=0):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child(name, folder, limit)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def tree(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}

results = []
for name in sources:
    assert run(name, root / name) == 0
    whole, count = tree(root / name), int((root / "count").read_text())
    for limit in range(1, count, 5):
        folder = root / f"{name}-{limit}"
        codes = [run(name, folder, limit), run(name, folder)]
        results.append([codes, tree(folder) == whole, len(whole)])
print(json.dumps(results))
"""


def test_killed_builds_go_on(tmp_path: Path) -> None:
    rows = []
    for n in range(5):
        Image.new("RGB", (9, 9), (n, 1, 1)).save(tmp_path / f"{n}.png")
        said = [{"from": "human", "value": f"q{n}"}, {"from": "gpt", "value": "a"}]
        rows.append({"conversations": said, "image": [f"{n}.png", "0.png"][: n % 2 + 1]})
    (tmp_path / "rows.json").write_text(json.dumps([*rows, {}]))
    command = [sys.executable, "-c", RUNNER, str(tmp_path), str(tmp_path / "rows.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) > 6
    assert all(codes == [-9, 0] and same for codes, same, _ in results), results
