"""A conversation: answers come whole, history is kept or not, and pictures keep their numbers."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.conftest import BLUE, RED

from pellucid.base.errors import UserError
from pellucid.flow.chat import Conversation, Settings, read_picture

SHORT = Settings("nothink", max_new_tokens=32)
THINKING = Settings("think", max_new_tokens=32)


def say(conversation: Conversation, text: str, *images: bytes, how: Settings = SHORT) -> str:
    stream = conversation.ask(text, images, how)
    streamed = "".join(delta.text for delta in stream if delta.channel == "answer")
    rollout = stream.rollout()
    conversation.keep(text, images, rollout)
    assert rollout.answer == streamed
    return streamed


def test_pictures_and_modes_are_what_the_question_says(make_engine: Any) -> None:
    conversation = Conversation(make_engine(knows=True))
    assert say(conversation, "Which colour?", RED) == "red"
    conversation.clear()
    assert say(conversation, "Which colour?", BLUE) == "blue"
    conversation.clear()
    assert say(conversation, "2 + 3?", how=THINKING) == "It is 5."
    assert conversation.turns[-1].text == "It is 5."


def test_what_was_said_and_shown_stands_before_the_next_question(make_engine: Any) -> None:
    conversation = Conversation(make_engine(knows=True))
    say(conversation, "Which colour?", RED)
    second = conversation.ask("And here?", [BLUE], SHORT)
    assert second.request.images == (RED, BLUE)
    asked = [part for turn in second.request.messages for part in turn.content]
    assert [part.image for part in asked if part.type == "image"] == [0, 1]
    assert [turn.role for turn in second.request.messages] == ["user", "assistant", "user"]
    # Not kept, so not there for the next.
    assert len(conversation.ask("Once more?", [], SHORT).request.messages) == 3


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (Settings("thikn"), "mode='thikn' is no mode; did you mean 'think'"),  # type: ignore[arg-type]
        (Settings(max_new_tokens=0), "max_tokens=0 is not a number of tokens; ask for 1 or more"),
        (Settings(temperature=-1.0), "temperature=-1.0 is no temperature"),
    ],
)
def test_a_setting_that_is_none_is_refused(make_engine: Any, how: Settings, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Conversation(make_engine(knows=True)).ask("2 + 3?", [], how)


def test_no_answer_leaves_the_conversation_as_it_was(make_engine: Any) -> None:
    conversation = Conversation(make_engine(knows=True))
    cut = conversation.ask("2 + 3?", [], Settings("think", max_new_tokens=2)).rollout()
    with pytest.raises(UserError, match=r"got no answer; raise --max-tokens \(it stopped after 2"):
        conversation.keep("2 + 3?", [], cut)
    broken = conversation.ask("Which colour?", [b"no picture"], SHORT).rollout()
    with pytest.raises(UserError, match="cannot be asked: .*not a readable image"):
        conversation.keep("Which colour?", [b"no picture"], broken)
    with pytest.raises(UserError, match="is empty"):
        conversation.ask("  ", [], SHORT)
    assert conversation.turns == ()
    assert say(conversation, "Which colour?", RED) == "red"


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(RED)
    assert read_picture(tmp_path / "red.png") == RED
    (tmp_path / "cut.png").write_bytes(RED[: len(RED) // 2])
    with pytest.raises(UserError, match=r"cut\.png.* is not a readable image"):
        read_picture(tmp_path / "cut.png")
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "none.png")
