"""Who may import whom, what needs torch, and that nothing talks to the network by itself."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TORCH_FREE = [
    "pellucid",
    "pellucid.base",
    "pellucid.schema",
    "pellucid.schema.ports",
    "pellucid.recipe",
    "pellucid.prompt",
    "pellucid.score",
    "pellucid.store",
    "pellucid.endpoint",
    "pellucid.data",
    "pellucid.data.teacher.run",
    "pellucid.eval",
    "pellucid.eval.page",
    "pellucid.release",
    "pellucid.flow.run",
    "pellucid.cli.main",
]

BLOCK = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'transformers'):
            raise ImportError(f'{name} is walled off here')
sys.meta_path.insert(0, Wall())
"""

SHUT = """
import socket
def refuse(*args, **kwargs):
    raise OSError('the network is shut')
socket.socket.connect = refuse
socket.getaddrinfo = refuse
socket.create_connection = refuse
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_torch_free_rooms_import_without_torch() -> None:
    lines = "\n".join(f"import {name}" for name in TORCH_FREE)
    done = python(BLOCK + lines + "\nprint('all in')")
    assert done.stdout == "all in\n", done.stderr[-2000:]


def test_the_wall_does_block() -> None:
    done = python(BLOCK + "import pellucid.model.vlm")
    assert "walled off" in done.stderr


def test_help_needs_no_torch() -> None:
    code = BLOCK + "import sys; sys.argv = ['pellucid', '--help']\n"
    done = python(code + "from pellucid.cli.main import main; main()")
    assert done.returncode == 0 and "run" in done.stdout, done.stderr[-2000:]


@pytest.mark.parametrize(
    "module", ["pellucid", "pellucid.hf", "pellucid.train", "pellucid.serve", "pellucid.endpoint"]
)
def test_importing_opens_no_socket(module: str) -> None:
    done = python(SHUT + f"import {module}\nprint('quiet')")
    assert done.stdout == "quiet\n", done.stderr[-2000:]


def test_third_party_telemetry_is_off() -> None:
    done = python("import os, pellucid; print(os.environ['HF_HUB_DISABLE_TELEMETRY'])")
    assert done.stdout == "1\n"
