"""The client against a loopback server that misbehaves: each outcome is a row, nothing is lost."""

import base64
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.endpoint.loopback import Act, Body, Server, completion, echo, serving

from pellucid.base.errors import UserError
from pellucid.base.hashing import hash_bytes
from pellucid.base.stop import Stop
from pellucid.endpoint import Call, Client, Endpoint, Ledger, Limits, ModelSetting, Prices
from pellucid.endpoint.base import asked
from pellucid.endpoint.client import api_key
from pellucid.schema.record import user

PNG = bytes.fromhex("89504e470d0a1a0a") + b"not really"
MODEL = ModelSetting("fake", max_tokens=20)


def calls(count: int) -> list[Call]:
    return [Call((user(f"question {number}"),), (), seed=number) for number in range(count)]


def endpoint(*servers: Server, **changes: Any) -> Endpoint:
    told = Endpoint(tuple(one.url for one in servers), MODEL, backoff_s=0.01, timeout_s=5.0)
    return replace(told, **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterable[Ledger]:
    with Ledger(tmp_path / "calls.sqlite") as opened:
        yield opened


def no_image(sha256: str) -> bytes:
    raise AssertionError("nothing has an image here")


def first_time(act: Act) -> Callable[[int, Body], Act]:
    """Misbehave once for every content, then answer."""
    seen: set[str] = set()

    def told(_: int, body: Body) -> Act:
        before = echo(body) in seen
        seen.add(echo(body))
        return Act() if before else act

    return told


def test_every_call_gets_its_answer_and_a_second_run_sends_nothing(ledger: Ledger) -> None:
    with serving() as server:
        client = Client(endpoint(server), ledger, no_image)
        first = client.run(calls(50), "test")
        again = client.run(calls(50), "test")
    assert (first.bought, first.sent, first.stopped) == (50, 50, "")
    assert (again.had, again.sent) == (50, 0) and len(server.requests) == 50
    sent = {body["messages"][0]["content"]: echo(body) for _, body, _ in server.requests}
    for number, call in enumerate(calls(50)):
        reply = ledger.reply(asked(call, MODEL).key)
        assert reply and reply.text == sent[f"question {number}"]


def test_a_question_that_is_asked_twice_in_one_run_is_sent_once(ledger: Ledger) -> None:
    with serving(lambda *_: Act(delay_s=0.02)) as server:
        ended = Client(endpoint(server), ledger, no_image).run(calls(3) * 4, "test")
    assert len(server.requests) == 3 and ended.bought == 3


@pytest.mark.parametrize(
    ("act", "status", "word"),
    [
        (Act(429, b"{}", {"retry-after": "0"}), "retryable", "HTTP 429"),
        (Act(500, b"oops"), "retryable", "HTTP 500: oops"),
        (Act(cut=True), "retryable", "no connection"),
        (Act(body=b'{"choices": [{"mess'), "unparsed", "no completion"),
        (Act(body=b'{"choices": []}'), "unparsed", "no completion"),
        (Act(body=b"[1]"), "unparsed", "no completion"),
        (Act(delay_s=1.5), "retryable", "no answer within 0.5 s"),
    ],
    ids=["429", "500", "cut line", "cut JSON", "no choice", "a list", "timeout"],
)
def test_a_passing_fault_is_a_row_and_the_call_is_asked_again(
    ledger: Ledger, act: Act, status: str, word: str
) -> None:
    with serving(first_time(act)) as server:
        client = Client(endpoint(server, timeout_s=0.5, attempts=3), ledger, no_image)
        ended = client.run(calls(2), "test")
    assert ended.bought == 2 and len(server.requests) == 4
    rows = [row for part in ledger.rows() for row in part]
    assert Counter(row["status"] for row in rows) == {status: 2, "answered": 2}
    assert all(word in row["error"] for row in rows if row["status"] == status)


def test_a_wrong_request_is_not_sent_again_unless_told(ledger: Ledger) -> None:
    def act(_: int, body: Body) -> Act:
        return Act(400, b"too long") if "question 1" in str(body["messages"]) else Act()

    with serving(act) as server:
        client = Client(endpoint(server), ledger, no_image)
        first, second = client.run(calls(3), "test"), client.run(calls(3), "test")
        assert (first.bought, first.failed, first.sent) == (2, 1, 3)
        assert (second.had, second.failed, second.sent) == (2, 1, 0)
        server.act = lambda *_: Act()
        assert client.run(calls(3), "test", again=True).bought == 1


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (completion("half of it", "length"), "truncated", "half of it"),
        (completion("", "content_filter"), "refused", ""),
        (completion(None, refusal="I cannot"), "refused", "I cannot"),  # type: ignore[arg-type]
        (completion([{"type": "text", "text": "part"}]), "answered", "part"),  # type: ignore[arg-type]
    ],
    ids=["length", "filter", "refusal", "parts"],
)
def test_outcomes_that_are_paid_for_are_final(
    ledger: Ledger, body: bytes, status: str, text: str
) -> None:
    with serving(lambda *_: Act(body=body)) as server:
        client = Client(endpoint(server), ledger, no_image)
        client.run(calls(1), "test")
        client.run(calls(1), "test")
    reply = ledger.reply(asked(calls(1)[0], MODEL).key)
    assert reply and (reply.status, reply.text) == (status, text)
    assert len(server.requests) == 1 and ledger.spent().tokens == 15


def test_thinking_is_read_from_either_field(ledger: Ledger) -> None:
    for number, name in enumerate(("reasoning", "reasoning_content")):
        told = completion("4", **{name: "2 + 2"})
        with serving(lambda *_, told=told: Act(body=told)) as server:
            Client(endpoint(server), ledger, no_image).run([calls(2)[number]], "test")
        reply = ledger.reply(asked(calls(2)[number], MODEL).key)
        assert reply and (reply.text, reply.thinking) == ("4", "2 + 2")


def test_retry_after_is_obeyed(ledger: Ledger) -> None:
    def act(number: int, _: Body) -> Act:
        return Act(429, b"{}", {"Retry-After": "1"}) if number == 0 else Act()

    with serving(act) as server:
        Client(endpoint(server, start=1), ledger, no_image).run(calls(3), "test")
    times = [at for at, _, _ in server.requests]
    # A lower bound only: what a busy machine adds does not matter.
    assert len(times) == 4 and times[1] - times[0] >= 1.0


@pytest.mark.parametrize(
    "act",
    [
        Act(401, b'{"error": "wrong key sk-secret"}'),
        Act(404, b"no such model"),
        Act(429, b'{"error": {"code": "insufficient_quota"}}'),
        Act(307, b"", {"location": "http://192.0.2.1/v1/chat/completions"}),
    ],
    ids=["key", "model", "quota", "redirect"],
)
def test_what_every_request_would_meet_ends_the_run_at_once(ledger: Ledger, act: Act) -> None:
    with serving(lambda *_: act) as server:
        client = Client(endpoint(server, api_key="sk-secret", start=1), ledger, no_image)
        ended = client.run(calls(500), "test")
        assert ended.stopped == "refused" and f"HTTP {act.status}" in ended.why
        assert len(server.requests) == 1
    assert "sk-secret" not in ended.why
    assert all("sk-secret" not in str(row) for part in ledger.rows() for row in part)


def test_an_address_where_nobody_is_ends_the_run(ledger: Ledger) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        told = Endpoint((url,), MODEL, backoff_s=0.01, attempts=50)
        ended = Client(told, ledger, no_image).run(calls(200), "test")
    assert ended.stopped == "down" and "no connection" in ended.why
    assert ledger.spent().tokens == 0, "what was never sent costs nothing"


def test_a_dead_address_does_not_keep_the_other_from_answering(ledger: Ledger) -> None:
    with serving() as alive, serving(lambda *_: Act(500, b"dead")) as dead:
        told = endpoint(alive, dead, attempts=20)
        ended = Client(told, ledger, no_image).run(calls(60), "test")
    assert ended.bought == 60 and not ended.stopped
    assert len(alive.requests) == 60 and len(dead.requests) < 60


def test_concurrency_grows_to_its_most(ledger: Ledger) -> None:
    """From one at a time to sixteen, and never a seventeenth."""
    together = threading.Event()

    def act(number: int, _: Body) -> Act:
        if number >= 20:
            # Nobody is answered before sixteen are there.
            if server.open >= 16:
                together.set()
            assert together.wait(60), "sixteen never came together"
        return Act()

    with serving(act) as server:
        Client(endpoint(server, start=1, most=16), ledger, no_image).run(calls(80), "test")
    assert server.most_open == 16 and server.requests[0][0] < server.requests[1][0]


def test_concurrency_falls_to_what_the_server_takes(ledger: Ledger) -> None:
    held = 6

    def full(_: int, body: Body) -> Act:
        return Act(429, b"{}") if server.open > held else Act(delay_s=0.01)

    with serving(full) as server:
        told = endpoint(server, start=32, most=64, attempts=100)
        ended = Client(told, ledger, no_image).run(calls(300), "test")
    complaints = sum(ended.errors.values())
    assert ended.bought == 300 and 0 < complaints < 200, complaints


@pytest.mark.parametrize("most", [1, 7, 30])
def test_the_budget_of_calls_is_met_exactly_and_can_be_raised(ledger: Ledger, most: int) -> None:
    with serving() as server:
        told = endpoint(server, start=16)
        ended = Client(told, ledger, no_image, Limits(calls=most)).run(calls(40), "test")
        assert ended.stopped == "budget" and len(server.requests) == ended.bought == most
        after = Client(told, ledger, no_image, Limits(calls=40)).run(calls(40), "test")
    assert not after.stopped and after.had == most and len(server.requests) == 40


def test_tokens_and_money_are_never_passed(ledger: Ledger) -> None:
    """Each answer costs 15 tokens, but up to 95 are set aside for one, so 2 x 15 stay unused."""
    call = calls(1)[0]
    with serving() as server:
        told = endpoint(server, start=8, prices=Prices(1e6, 1e6))
        for limits in (Limits(tokens=600), Limits(money=1200.0)):
            ended = Client(told, ledger, no_image, limits).run(calls(200), "test")
            limit = limits.tokens or limits.money
            assert ended.stopped == "budget" and limit is not None
            spent = ledger.spent().tokens
            assert limit - 95 < spent <= limit, spent
    assert ledger.spent().money == ledger.spent().tokens
    assert len(asked(call, MODEL).content) == 1


def test_what_nobody_knows_is_charged_at_its_most(ledger: Ledger) -> None:
    with serving(lambda *_: Act(delay_s=1.0)) as server:
        client = Client(endpoint(server, timeout_s=0.2, attempts=1), ledger, no_image)
        ended = client.run(calls(1), "test")
    assert ended.failed == 1
    question = len(b"question 0")
    assert ledger.spent().tokens == question + 64 + MODEL.max_tokens


def test_ctrl_c_waits_for_what_is_paid_for_and_sends_nothing_more(ledger: Ledger) -> None:
    stop = Stop()

    def act(number: int, _: Body) -> Act:
        stop.asked = number >= 10
        return Act(delay_s=0.05)

    with serving(act) as server:
        client = Client(endpoint(server, start=4, most=4), ledger, no_image)
        ended = client.run(calls(500), "test", stop=stop)
    assert ended.stopped == "asked" and ended.bought == len(server.requests) < 40
    assert ledger.counts() == {"answered": ended.bought}


def test_pictures_travel_as_data_urls_and_stay_out_of_the_ledger(
    ledger: Ledger, tmp_path: Path
) -> None:
    sha256 = hash_bytes(PNG)
    call = Call((user("Look: ", 0, " What is it?"),), (sha256,))

    def act(_: int, body: Body) -> Act:
        # Some servers send back what they did not like.
        return Act(400, str(body["messages"]).encode())

    with serving(act) as server:
        Client(endpoint(server), ledger, {sha256: PNG}.__getitem__).run([call], "test")
    content = server.requests[0][1]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64" and base64.b64decode(data) == PNG
    ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("calls.sqlite*"))
    assert sha256.encode() in stored
    assert PNG not in stored and base64.b64encode(PNG)[:16] not in stored


def test_a_request_says_nothing_of_this_machine_or_of_other_providers(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "sk-other")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    with serving() as server:
        Client(endpoint(server), ledger, no_image).run(calls(1), "test")
    (_, body, headers), *_ = server.requests
    assert "sk-other" not in str(headers)
    assert not [name for name in headers if name.lower() in ("x-stainless-os", "x-stainless-arch")]
    assert body == {
        "model": "fake",
        "messages": [{"role": "user", "content": "question 0"}],
        "max_tokens": 20,
        "temperature": 1.0,
        "seed": 0,
    }


def test_a_key_that_is_not_set_is_said_by_name() -> None:
    with pytest.raises(UserError, match="api_key_env='TEACHER_KEY' is not set"):
        api_key("TEACHER_KEY", {})
    assert api_key("TEACHER_KEY", {"TEACHER_KEY": "k"}) == "k" and api_key("", {}) == ""


def test_no_call_starts_before_its_retry_is_due(ledger: Ledger) -> None:
    with serving(first_time(Act(503, b"busy", {"retry-after": "0.3"}))) as server:
        started = time.monotonic()
        Client(endpoint(server), ledger, no_image).run(calls(1), "test")
        assert len(server.requests) == 2
        assert server.requests[1][0] - started >= 0.3
