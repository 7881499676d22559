"""Streams: channels, characters split over tokens, cancellation, the background thread."""

import threading
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.infer.stream import Channels, Delta
from pellucid.prompt.render import Renderer
from pellucid.schema.record import Mode

from .conftest import MakeEngine, ask


def spelt(deltas: list[Delta], channel: str) -> str:
    return "".join(delta.text for delta in deltas if delta.channel == channel)


def through(renderer: Renderer, mode: Mode, ids: list[int]) -> list[Delta]:
    channels = Channels(renderer, mode)
    return [delta for id_ in ids for delta in channels.push(id_)] + channels.finish()


def bytes_of(renderer: Renderer, text: str) -> list[int]:
    """Byte tokens of a text outside ASCII, as a model may produce them."""
    tokenizer = renderer.tokenizer
    ids = {tokenizer.piece(id_): id_ for id_ in range(tokenizer.size)}
    return [ids[bytes([byte])] for byte in text.encode()]


def test_thinking_and_answer_are_told_apart(renderer: Renderer) -> None:
    thinking = renderer.tokenizer.encode_text("2 + 3 = 5.")
    answer = renderer.tokenizer.encode_text("5")
    ids = [*thinking, renderer.think_close_id, *answer, renderer.end_id]
    for mode, prefix in (("think", []), ("auto", [renderer.think_id])):
        deltas = through(renderer, mode, prefix + ids)
        assert spelt(deltas, "thinking") == "2 + 3 = 5."
        assert spelt(deltas, "answer") == "5"
        assert [delta.token_id for delta in deltas] == prefix + ids
    assert spelt(through(renderer, "nothink", answer), "answer") == "5"
    assert spelt(through(renderer, "auto", [renderer.nothink_id, *answer]), "answer") == "5"


def test_a_character_is_held_back_until_it_is_whole(renderer: Renderer) -> None:
    deltas = through(renderer, "nothink", bytes_of(renderer, "é🙂"))
    assert [delta.text for delta in deltas] == ["", "é", "", "", "", "🙂"]


def test_a_character_that_a_control_token_cuts_stays_in_its_channel(renderer: Renderer) -> None:
    half = bytes_of(renderer, "🙂")[:2]
    ids = [*half, renderer.think_close_id, *bytes_of(renderer, "🙂")]
    deltas = through(renderer, "think", ids)
    parsed = renderer.parse([*ids, renderer.end_id], "think", "stop")
    assert spelt(deltas, "thinking") == parsed.thinking == "\N{REPLACEMENT CHARACTER}"
    assert spelt(deltas, "answer") == parsed.answer == "🙂"
    assert [delta.token_id for delta in deltas if delta.token_id is not None] == ids


def test_the_lead_is_taken_away_once_from_each_part(renderer: Renderer) -> None:
    led = renderer.led(" ")
    thinking, answer = (led.tokenizer.encode_text(text) for text in ("  a b", " red "))
    ids = [led.think_id, *thinking, led.think_close_id, *answer, led.end_id]
    deltas, parsed = through(led, "auto", ids), led.parse(ids, "auto", "stop")
    assert spelt(deltas, "thinking") == parsed.thinking == " a b"
    assert spelt(deltas, "answer") == parsed.answer == "red "


@settings(max_examples=60, deadline=None)
@given(data=st.data(), lead=st.sampled_from(["", " "]))
def test_channels_say_what_the_parser_says(
    renderer: Renderer, data: st.DataObject, lead: Literal["", " "]
) -> None:
    renderer = renderer.led(lead)
    pieces = st.lists(st.integers(0, renderer.tokenizer.size - 1), max_size=12)
    plain = [id_ for id_ in data.draw(pieces) if not renderer.tokenizer.is_control(id_)]
    other = [id_ for id_ in data.draw(pieces) if not renderer.tokenizer.is_control(id_)]
    ids = [*plain, renderer.think_close_id, *other, renderer.end_id]
    deltas = through(renderer, "think", ids)
    parsed = renderer.parse(ids, "think", "stop")
    assert (spelt(deltas, "thinking"), spelt(deltas, "answer")) == (parsed.thinking, parsed.answer)


def test_a_stream_and_a_list_give_the_same_answer(make: MakeEngine) -> None:
    request = ask(3, images=1, mode="think", tokens=30)
    stream = make().submit(request)
    deltas = list(stream)
    (rollout,) = make().generate([request])
    assert replace(stream.rollout(), latency_s=0) == replace(rollout, latency_s=0)
    assert tuple(d.token_id for d in deltas if d.token_id is not None) == rollout.token_ids
    assert list(stream) == []
    if rollout.outcome == "answered":
        assert spelt(deltas, "answer") == rollout.answer


def test_deltas_come_while_the_answer_grows(make: MakeEngine) -> None:
    engine = make()
    stream = engine.submit(replace(ask(1, tokens=20), temperature=0.0))
    first = next(iter(stream))
    assert first.token_id is not None
    assert engine.generated_tokens < 20 and engine.active == 1


@pytest.mark.parametrize("started", [False, True])
def test_cancelling_frees_the_slot_and_stops_the_work(make: MakeEngine, started: bool) -> None:
    engine = make(1, context=2000)
    if started:
        engine.start()
    request = replace(ask(1, tokens=1900), temperature=0.0)
    stream = engine.submit(request)
    next(iter(stream))
    stream.cancel()
    rollout = stream.rollout()
    assert rollout.finish_reason == "cancelled" and rollout.outcome == "failed"
    assert 0 < len(rollout.token_ids) < 1900 and rollout.answer is None
    assert engine.active == 0 and engine.generated_tokens == len(rollout.token_ids)
    after = engine.submit(ask(2))
    assert after.rollout().finish_reason in ("stop", "length")
    engine.stop()


def test_a_request_cancelled_in_the_queue_never_gets_a_slot(make: MakeEngine) -> None:
    engine = make(1)
    first, second = engine.submit(ask(0, tokens=30)), engine.submit(ask(1))
    second.cancel()
    assert second.rollout().token_ids == ()
    assert first.rollout().finish_reason in ("stop", "length")
    assert engine.generated_tokens == len(first.rollout().token_ids)


def test_the_background_thread_serves_many_readers_at_once(make: MakeEngine) -> None:
    requests = [ask(number, images=number % 2, tokens=15) for number in range(9)]
    expected = {r.request_id: r.token_ids for r in make().generate(requests)}
    engine = make()
    engine.start()
    found: dict[str, tuple[int | None, ...]] = {}

    def read(index: int) -> None:
        stream = engine.submit(requests[index])
        found[requests[index].id] = tuple(
            delta.token_id for delta in stream if delta.token_id is not None
        )

    readers = [threading.Thread(target=read, args=(index,)) for index in range(9)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    listed = {r.request_id: r.token_ids for r in engine.generate(requests)}
    engine.stop()
    assert found == expected == listed
    assert engine.steps > 0 and engine.active == 0


def test_stopping_leaves_no_reader_waiting(make: MakeEngine) -> None:
    engine = make(1, context=4000)
    engine.start()
    running = engine.submit(replace(ask(1, tokens=3900), temperature=0.0))
    queued = engine.submit(ask(2))
    next(iter(running))
    engine.stop()
    for stream in (running, queued):
        assert stream.rollout().finish_reason == "error"
        assert "stopped" in stream.rollout().error
    assert engine.submit(ask(2)).rollout().finish_reason in ("stop", "length")
    engine.start()
    assert engine.submit(ask(2)).rollout().finish_reason in ("stop", "length")
    engine.stop()
