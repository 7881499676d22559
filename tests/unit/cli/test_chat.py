"""A conversation on a terminal: commands, and Ctrl-C that ends an answer and nothing else."""

import io
import os
import signal
from typing import Any

import pytest

from pellucid.cli.chat import converse
from pellucid.flow.chat import Conversation, Settings

SHORT = Settings("nothink", max_new_tokens=32)


class Impatient(io.StringIO):
    """Presses Ctrl-C when the first answer begins."""

    pressed = False

    def write(self, text: str) -> int:
        if text.strip() and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


def test_ctrl_c_ends_the_answer_and_the_conversation_goes_on(
    make_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Impatient(), io.StringIO()
    lines = "/mode think\n2 + 3?\n/mode nothink\nWhich colour?\n/sing\n/quit\nnever asked\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    before = signal.getsignal(signal.SIGINT)
    conversation = Conversation(make_engine(knows=True))
    converse(conversation, [], SHORT)
    assert out.pressed and "stopped; the question is forgotten" in err.getvalue()
    assert "command='/sing' is not known" in err.getvalue()
    assert [turn.text for turn in conversation.turns if turn.role == "user"] == ["Which colour?"]
    assert signal.getsignal(signal.SIGINT) == before
