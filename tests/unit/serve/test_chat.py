"""The endpoint as the official client sees it."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest

QUESTION = "2 + 3?"
THOUGHT, ANSWER = "2 + 3 = 5, so five.", "It is 5."


def look(uri: str) -> list[dict[str, Any]]:
    return [
        {"type": "image_url", "image_url": {"url": uri}},
        {"type": "text", "text": "Which colour?"},
    ]


def lines(served: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in served.audit.read_text().splitlines()]


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread; fails after a minute, which no healthy run comes near."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def test_thinking_and_answer_come_apart(served: Any) -> None:
    reply = served.ask(QUESTION, extra_body={"mode": "think"})
    (choice,) = reply.choices
    assert choice.message.content == ANSWER
    assert choice.message.reasoning == choice.message.reasoning_content == THOUGHT
    assert choice.finish_reason == "stop"
    usage = reply.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    reasoning = usage.completion_tokens_details.reasoning_tokens
    # Beside the thinking: </think>, the answer's tokens and the end.
    assert 0 < reasoning < usage.completion_tokens - 2


def test_modes_by_field_and_by_template_setting(served: Any) -> None:
    for body in ({"mode": "nothink"}, {"chat_template_kwargs": {"enable_thinking": False}}):
        message = served.ask(QUESTION, extra_body=body).choices[0].message
        assert (message.content, message.reasoning) == ("5", None)
    for body in ({"mode": "think"}, {"chat_template_kwargs": {"enable_thinking": True}}):
        assert served.ask(QUESTION, extra_body=body).choices[0].message.reasoning == THOUGHT
    served.ask(QUESTION, max_tokens=5)
    assert lines(served)[-1]["mode"] == "auto"


def test_a_picture_decides_the_answer(served: Any, pictures: dict[str, str]) -> None:
    for colour, uri in pictures.items():
        reply = served.ask(look(uri), extra_body={"mode": "nothink"})
        assert reply.choices[0].message.content == colour


def test_a_stream_says_the_same_as_a_whole_reply(served: Any) -> None:
    whole = served.ask(QUESTION, extra_body={"mode": "think"})
    events = list(
        served.ask(
            QUESTION,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"mode": "think"},
        )
    )
    *chunks, last = events
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant" and all(delta.role is None for delta in deltas[1:])
    thought = [getattr(delta, "reasoning", None) or "" for delta in deltas]
    assert "".join(thought) == THOUGHT and len([text for text in thought if text]) > 3
    assert thought == [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert "".join(delta.content or "" for delta in deltas) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.choices == [] and last.usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_the_end_mark_and_has_no_usage_unasked(served: Any) -> None:
    body = {
        "model": "tiny",
        "stream": True,
        "mode": "nothink",
        "messages": [{"role": "user", "content": QUESTION}],
    }
    reply = served.http.post("/v1/chat/completions", json=body)
    events = [line for line in reply.text.split("\n\n") if line]
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert events[-1] == "data: [DONE]"
    assert all(event.startswith("data: {") for event in events[:-1])
    assert "usage" not in reply.text


def test_truncated_thinking_is_no_answer(served: Any) -> None:
    for field in ("max_tokens", "max_completion_tokens"):
        reply = served.ask(QUESTION, extra_body={"mode": "think"}, **{field: 3})
        (choice,) = reply.choices
        assert choice.message.content == "" and THOUGHT.startswith(choice.message.reasoning)
        assert choice.finish_reason == "length"
        assert reply.usage.completion_tokens == 3
        assert lines(served)[-1]["outcome"] == "truncated"


def test_a_conversation_with_history_and_a_system_message(served: Any) -> None:
    def tokens(*before: dict[str, str]) -> int:
        messages = [*before, {"role": "user", "content": QUESTION}]
        reply = served.client.chat.completions.create(model="tiny", messages=messages, max_tokens=1)
        return int(reply.usage.prompt_tokens)

    system = {"role": "system", "content": "Be brief."}
    asked = {"role": "user", "content": "Hi"}
    told = {"role": "assistant", "content": "Yes", "reasoning_content": "A long, long thought."}
    plain = {"role": "assistant", "content": "Yes"}
    alone = tokens()
    assert tokens(system) > alone
    assert tokens({"role": "developer", "content": "Be brief."}) == tokens(system)
    # Earlier thinking is not shown to later turns.
    assert tokens(asked, told) == tokens(asked, plain) > alone


def test_sampling_follows_the_seed(served: Any) -> None:
    def sample(**settings: Any) -> tuple[str, str]:
        reply = served.ask("Say something new", temperature=2.0, max_tokens=24, **settings)
        message = reply.choices[0].message
        return message.content, message.reasoning

    assert sample(seed=1) == sample(seed=1)
    assert len({sample(seed=seed) for seed in range(8)}) > 1
    # Without a seed, each request draws its own; the audit line's seed gives its answer again.
    unseeded = [sample(), sample()]
    seeds = [line["seed"] for line in lines(served)[-2:]]
    assert seeds[0] != seeds[1]
    assert [sample(seed=seed) for seed in seeds] == unseeded
    narrow = [sample(seed=seed, top_p=0.01) for seed in (1, 2)]
    assert narrow[0] == narrow[1]


def test_models_and_health(served: Any) -> None:
    assert [model.id for model in served.client.models.list()] == ["tiny"]
    told = served.http.get("/health").json()
    assert told["status"] == "ok" and told["model"] == "tiny"
    for path in ("/docs", "/redoc", "/openapi.json", "/nothing"):
        reply = served.http.get(f"{path}")
        assert reply.status_code == 404 and reply.json()["error"]["message"]


def test_the_log_tells_all_but_the_content(served: Any, pictures: dict[str, str]) -> None:
    secret = "a very secret question"
    served.ask(secret, max_tokens=2)
    reply = served.ask(QUESTION, extra_body={"mode": "think"})
    line = lines(served)[-1]
    assert line["id"] == reply.id and line["model"] == "tiny" and line["mode"] == "think"
    assert line["prompt_tokens"] == reply.usage.prompt_tokens
    assert line["completion_tokens"] == reply.usage.completion_tokens
    assert line["finish_reason"] == reply.choices[0].finish_reason
    assert len(line["prompt_hash"]) == 64 and line["status"] == 200
    served.ask(look(pictures["red"]), extra_body={"mode": "nothink"})
    assert lines(served)[-1]["images"] == 1
    with pytest.raises(openai.BadRequestError):
        served.ask(secret, extra_body={"surprise": 1})
    assert lines(served)[-1]["status"] == 400
    log = served.audit.read_text()
    assert not any(text in log for text in ("secret", QUESTION, THOUGHT, ANSWER, "base64"))


@pytest.mark.parametrize("stream", [True, False])
def test_when_the_client_leaves_the_engine_stops(
    make_engine: Any, start: Any, tmp_path: Any, stream: bool
) -> None:
    budget = 3500
    with start(make_engine(knows=False), tmp_path / "audit.jsonl") as served:
        engine = served.engine
        if stream:
            events = served.ask("Count", stream=True, max_tokens=budget)
            next(events)
            events.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                served.ask("Count", max_tokens=budget, timeout=0.3)
        until(lambda: engine.active == 0)
        after = engine.generated_tokens
        assert 0 < after < budget, "the answer was generated to its end for nobody"
        # The slot is free: somebody else is answered, and only their tokens are added.
        reply = served.ask("Count", max_tokens=5)
        assert engine.generated_tokens == after + reply.usage.completion_tokens
        until(lambda: len(lines(served)) == 2)
        gone = next(line for line in lines(served) if line["status"] == 499)
        assert gone["finish_reason"] == "cancelled" and gone["completion_tokens"] == after


def test_the_queue_has_an_end(make_engine: Any, start: Any, tmp_path: Any) -> None:
    with start(make_engine(knows=False), tmp_path / "audit.jsonl", max_waiting=1) as served:
        streams = [served.ask("Count", stream=True, max_tokens=3500)]
        next(streams[0])  # has the only slot
        waiting = threading.Thread(target=served.ask, args=("Count",), kwargs={"max_tokens": 2})
        waiting.start()
        until(lambda: served.engine.waiting == 1)
        with pytest.raises(openai.RateLimitError) as caught:
            served.ask("Count")
        assert caught.value.code == "queue_full"
        assert caught.value.response.headers["retry-after"] == "1"
        streams[0].close()
        waiting.join()


def test_answers_side_by_side_are_the_answers_alone(served: Any) -> None:
    alone = {
        mode: served.ask(QUESTION, extra_body={"mode": mode}).choices[0].message
        for mode in ("think", "nothink")
    }
    found: list[tuple[str, Any]] = []

    def ask(mode: str) -> None:
        found.append((mode, served.ask(QUESTION, extra_body={"mode": mode}).choices[0].message))

    threads = [threading.Thread(target=ask, args=(mode,)) for mode in list(alone) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(message == alone[mode] for mode, message in found)
