"""What the endpoint refuses, with which status, and that it says so in OpenAI's shape."""

import base64
import io
import struct
import zlib
from typing import Any

import openai
import pytest
from PIL import Image

from pellucid.serve.api import NEUTRAL

HELLO = [{"role": "user", "content": "Hello"}]


def send(served: Any, **body: Any) -> tuple[int, dict[str, Any]]:
    told = {"model": "tiny", "messages": HELLO, "max_tokens": 4, **body}
    reply = served.http.post("/v1/chat/completions", json=told)
    return reply.status_code, reply.json()


def refused(served: Any, status: int, **body: Any) -> dict[str, Any]:
    got, told = send(served, **body)
    assert got == status, told
    assert set(told) == {"error"}
    assert set(told["error"]) == {"message", "type", "param", "code"}
    return dict(told["error"])


def image(url: str, count: int = 1) -> list[dict[str, Any]]:
    part = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [part] * count}]


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"temprature": 0.5}, "temprature", "did you mean 'temperature'"),
        ({"logprobs": True}, "logprobs", "not supported"),
        ({"tools": [{"type": "function"}]}, "tools", "not supported"),
        (
            {"chat_template_kwargs": {"thinking": True}},
            "chat_template_kwargs",
            "chat_template_kwargs.thinking is not supported",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "name": "me"}]},
            "messages.0.name",
            "messages.0.name is not supported",
        ),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"temperature": "1"}, "temperature", "valid number"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 10**6}, "max_tokens", "exceeds this server's limit"),
        ({"max_tokens": 4, "max_completion_tokens": 5}, "max_tokens", "differ"),
        ({"n": 2}, "n", "n must be 1"),
        ({"stop": ["\n"]}, "stop", "stop is not supported"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "set stream to true"),
        ({"mode": "fast"}, "mode", "think"),
        ({"mode": "think", "chat_template_kwargs": {"enable_thinking": False}}, "mode", "disagree"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0", "tool"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages", "expected user"),
        ({"messages": [HELLO[0], HELLO[0]]}, "messages", "expected assistant"),
        (
            {"messages": [HELLO[0], {"role": "assistant", "content": "x"}]},
            "messages",
            "last message is not the user's",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "audio", "audio": "x"}]}]},
            "messages.0.content.0",
            "audio",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_bad_field_is_named(served: Any, body: dict[str, Any], param: str, words: str) -> None:
    error = refused(served, 400, **body)
    assert words in error["message"] and error["param"].startswith(param)


def test_all_unknown_fields_are_named_at_once(served: Any) -> None:
    error = refused(served, 400, surprise=1, wonder={"a": 2})
    assert "surprise" in error["message"] and "wonder" in error["message"]
    assert error["code"] == "unknown_parameter"


def test_nothing_that_may_be_left_out_needs_a_value(served: Any) -> None:
    absent = ("temperature", "top_p", "seed", "stop", "n", "stream", "stream_options", "mode")
    status, told = send(served, **dict.fromkeys(absent))
    assert status == 200, told


def test_fields_that_ask_for_nothing_are_let_through(served: Any) -> None:
    for name, values in NEUTRAL.items():
        for value in (*values, None):
            status, told = send(served, **{name: value})
            assert status == 200, (name, value, told)
    status, told = send(
        served, user="somebody", tools=[], tool_choice="none", parallel_tool_calls=True,
        functions=[], function_call="auto", frequency_penalty=0, presence_penalty=0.0,
        logit_bias={}, logprobs=False, top_logprobs=None, metadata=None, store=False,
        modalities=["text"], response_format={"type": "text"}, service_tier="auto",
    )  # fmt: skip
    assert status == 200, told


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_the_same_fields_are_refused_when_they_ask_for_something(served: Any, name: str) -> None:
    asked = {
        "logprobs": True, "store": True, "top_logprobs": 2, "parallel_tool_calls": "no",
        "response_format": {"type": "json_object"}, "modalities": ["audio"],
    }.get(name, [{"a": 1}])  # fmt: skip
    assert name in refused(served, 400, **{name: asked})["message"]


def test_the_wrong_model_path_method_and_body(served: Any) -> None:
    assert refused(served, 404, model="other")["code"] == "model_not_found"
    url = "/v1/chat/completions"
    assert served.http.get(url).status_code == 405
    json_type = {"content-type": "application/json"}
    broken = served.http.post(url, content=b"{not json", headers=json_type)
    assert broken.status_code == 400 and "not JSON" in broken.json()["error"]["message"]
    plain = served.http.post(url, content=b"{}", headers={"content-type": "text/plain"})
    assert plain.status_code == 415


def test_a_large_body_is_refused(served: Any) -> None:
    assert refused(served, 413, messages=[{"role": "user", "content": "x" * 60_000}])
    chunks = iter([b"x" * 1000] * 80)
    url = "/v1/chat/completions"
    reply = served.http.post(url, content=chunks, headers={"content-type": "application/json"})
    assert reply.status_code == 413


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "http://127.0.0.1:1/a.png",
        "file:///etc/passwd",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
    ],
)
def test_nothing_is_ever_fetched(served: Any, url: str) -> None:
    error = refused(served, 400, messages=image(url))
    assert error["code"] == "image_not_inline" and "fetches nothing" in error["message"]
    assert error["param"] == "messages.0.content.0"


def claim(width: int, height: int) -> str:
    """A PNG whose header claims a size that its data does not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))
    return f"data:image/png;base64,{base64.b64encode(data + chunk(b'IEND', b'')).decode()}"


def test_pictures_are_limited_before_they_are_decoded(served: Any, uri_of: Any) -> None:
    assert refused(served, 400, messages=image(uri_of(101)))["code"] == "image_too_large"
    assert refused(served, 400, messages=image(claim(20_000, 5_000)))["code"] == "image_too_large"
    assert refused(served, 400, messages=image(claim(60_000, 60_000)))["code"] == "image_too_large"
    assert refused(served, 400, messages=image(uri_of(8), 3))["code"] == "too_many_images"
    assert send(served, messages=image(uri_of(8), 2))[0] == 200


def test_broken_pictures_are_refused_with_a_status(served: Any) -> None:
    url = "data:image/png;base64,"
    assert refused(served, 400, messages=image(url + "%%%"))["code"] == "invalid_image"
    text = base64.b64encode(b"no picture at all").decode()
    assert refused(served, 400, messages=image(url + text))["code"] == "invalid_image"
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, "TIFF")
    tiff = base64.b64encode(target.getvalue()).decode()
    assert refused(served, 400, messages=image(url + tiff))["code"] == "invalid_image"
    # A whole header over missing pixels: found by the engine, before the first token.
    for stream in (False, True):
        error = refused(served, 400, messages=image(claim(50, 50)), stream=stream)
        assert error["code"] == "invalid_prompt" and "not a readable image" in error["message"]


def test_only_users_send_pictures(served: Any, uri_of: Any) -> None:
    part = {"type": "image_url", "image_url": {"url": uri_of(8)}}
    messages = [{"role": "system", "content": [part]}, *HELLO]
    assert "only users send images" in refused(served, 400, messages=messages)["message"]


def test_a_conversation_beyond_the_context_is_refused(served: Any) -> None:
    long = [{"role": "user", "content": "z" * 20_000}]
    for stream in (False, True):
        error = refused(served, 400, messages=long, stream=stream)
        assert "context of 4096 tokens" in error["message"]


def test_the_official_client_understands_the_errors(served: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        served.ask("Hello", stop="x")
    assert caught.value.param == "stop" and caught.value.code == "unsupported_parameter"
    with pytest.raises(openai.NotFoundError):
        served.client.chat.completions.create(model="gpt", messages=HELLO)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "Say SWORDFISH!"}],
        [{"role": "user", "content": [{"type": "text", "text": "open, Sésame"}]}],
        [{"role": "system", "content": "swordfish"}, *HELLO],
        [
            *HELLO,
            {"role": "assistant", "content": "x", "reasoning_content": "swordfish"},
            *HELLO,
        ],
    ],
    ids=["case", "phrase", "system", "thinking"],
)
def test_a_blocked_word_in_the_conversation(served: Any, messages: list[Any]) -> None:
    assert refused(served, 400, messages=messages)["code"] == "content_filter"
    assert send(served, messages=[{"role": "user", "content": "swordfishes sesame"}])[0] == 200


@pytest.mark.parametrize(
    ("word", "thought", "answer"),
    [("five", "2 + 3 = 5, so ", ""), ("is", "2 + 3 = 5, so five.", "It ")],
)
def test_a_blocked_word_in_thinking_or_answer_is_never_shown(
    make_engine: Any, start: Any, tmp_path: Any, word: str, thought: str, answer: str
) -> None:
    audit = tmp_path / "audit.jsonl"
    with start(make_engine(knows=True), audit, blocked_words=[word.upper()]) as served:
        think = {"mode": "think"}
        reply = served.ask("2 + 3?", extra_body=think)
        (choice,) = reply.choices
        assert choice.finish_reason == "content_filter"
        assert (choice.message.reasoning, choice.message.content) == (thought, answer)
        chunks = list(served.ask("2 + 3?", stream=True, extra_body=think))
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        deltas = [chunk.choices[0].delta for chunk in chunks]
        assert "".join(getattr(delta, "reasoning", None) or "" for delta in deltas) == thought
        assert "".join(delta.content or "" for delta in deltas) == answer
        assert '"filter": "words"' in audit.read_text()
        clean = served.ask("2 + 3?", extra_body={"mode": "nothink"})
        assert clean.choices[0].finish_reason == "stop"
