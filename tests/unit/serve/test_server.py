"""Opening the address, starting as a program, stopping with answers under way."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import DiskError, UserError
from pellucid.recipe.serve import ServeOptions
from pellucid.serve import create_app
from pellucid.serve.server import address, example, open_socket


def test_a_port_in_use_and_odd_addresses_are_user_errors() -> None:
    opened = open_socket("127.0.0.1", 0)
    port = opened.getsockname()[1]
    try:
        with pytest.raises(UserError, match=f"127.0.0.1:{port}' is in use; choose another --port"):
            open_socket("127.0.0.1", port)
    finally:
        opened.close()
    with pytest.raises(UserError, match="is no address of this machine"):
        open_socket("192.0.2.1", 0)
    with pytest.raises(UserError, match="is not an address"):
        open_socket("no such host", 0)


def test_a_printed_address_can_be_connected_to_at_once() -> None:
    opened = open_socket("127.0.0.1", 0)
    try:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address(opened))
        socket.create_connection(opened.getsockname(), timeout=5).close()
    finally:
        opened.close()


def test_the_example_is_a_request_that_is_understood() -> None:
    command = example("http://127.0.0.1:8000", "tiny")
    found = re.search(r"-d '(.*)'", command)
    assert found and json.loads(found[1])["model"] == "tiny"


def test_an_audit_log_that_cannot_be_written_is_refused(make_engine: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="opening the audit log"):
        create_app(make_engine(knows=False), ServeOptions(), "tiny", tmp_path / "file" / "a.jsonl")


PROGRAM = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from pellucid.infer.engine import Engine
from pellucid.recipe.serve import ServeOptions
from pellucid.serve import create_app, run_server
engine = Engine.load(Path(sys.argv[1]), slots=1)
run_server(create_app(engine, ServeOptions(max_new_tokens=4000), 'tiny', None), '127.0.0.1', 0)
print('ended', engine.active, flush=True)
"""


def test_as_a_program_it_prints_its_address_and_ends_when_asked(
    trained: Any, tmp_path: Path
) -> None:
    from openai import OpenAI

    from pellucid.model import checkpoint

    model, renderer = trained
    checkpoint.save(model, renderer, tmp_path / "model")
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "model")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        found = re.fullmatch(r"serving tiny at (http://\S+/v1)\n", line)
        assert found, line + process.stderr.read()
        client = OpenAI(base_url=found[1], api_key="none", max_retries=0, timeout=60)
        reply = client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "2 + 3?"}],
            extra_body={"mode": "nothink"},
        )
        assert reply.choices[0].message.content == "5"
        client.close()
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0 and err == "", err
    assert "curl http://127.0.0.1" in out and out.endswith("stopped\nended 0\n")


def test_stopping_ends_answers_that_are_under_way(
    make_engine: Any, start: Any, tmp_path: Path
) -> None:
    engine = make_engine(knows=False)
    with start(engine, tmp_path / "audit.jsonl") as served:
        events = served.ask("Count", stream=True, max_tokens=3500)
        next(events)
    # Leaving the context stopped the server within its grace, not after 3500 tokens.
    assert engine.active == 0 and engine.generated_tokens < 3500
    line = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])
    assert line["completion_tokens"] == engine.generated_tokens
