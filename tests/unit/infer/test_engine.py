"""The engine against transformers, against itself with other neighbours, and against bad input."""

from dataclasses import replace

import pytest
import torch

from pellucid.base.errors import UserError
from pellucid.base.paths import ASSETS
from pellucid.infer.engine import Engine
from pellucid.infer.sampling import banned
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt.render import Renderer
from pellucid.schema.record import Mode, user
from pellucid.schema.rollout import Request, Rollout

from .conftest import CONTEXT, MakeEngine, ask, picture

MIXED = [
    ask(number, images=number % 3, mode=("auto", "think", "nothink")[number % 3], tokens=3 + number)
    for number in range(16)
]


def timeless(rollout: Rollout) -> Rollout:
    return replace(rollout, latency_s=0.0)


def answers(make: MakeEngine, requests: list[Request], slots: int = 4) -> dict[str, Rollout]:
    found = [timeless(rollout) for rollout in make(slots).generate(requests)]
    assert [rollout.request_id for rollout in found] == [request.id for request in requests]
    return {rollout.request_id: rollout for rollout in found}


@pytest.mark.parametrize("mode", ["auto", "think", "nothink"])
@pytest.mark.parametrize("images", [0, 1, 2])
def test_greedy_ids_are_those_of_transformers_generate(
    model: PellucidForConditionalGeneration,
    renderer: Renderer,
    make: MakeEngine,
    mode: Mode,
    images: int,
) -> None:
    requests = [
        replace(ask(number, images=images, mode=mode, tokens=20), temperature=0.0)
        for number in range(3)
    ]
    engine = make(4)
    for request, rollout in zip(requests, engine.generate(requests), strict=True):
        sizes = [(40 + 16 * index, 48) for index in range(images)]
        rendered = renderer.prompt(request.messages, sizes, mode)
        example = Processor(renderer).example(rendered, request.images)
        pixels = {
            "pixel_values": torch.from_numpy(example.patches),
            "image_grids": torch.from_numpy(example.grids),
        }
        ids = torch.from_numpy(example.ids)[None]
        generated = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=20,
            do_sample=False,
            suppress_tokens=banned(renderer, model.config.text_config.vocab_size),
            **(pixels if images else {}),
        )
        assert rollout.token_ids == tuple(generated[0, ids.shape[1] :].tolist())
        assert rollout.prompt_tokens == ids.shape[1]
        assert rollout.drawn_logprobs == ()
    assert len({rollout.token_ids for rollout in engine.generate(requests)}) > 1


def test_an_answer_is_the_same_to_the_last_bit_whatever_its_neighbours(make: MakeEngine) -> None:
    together = answers(make, MIXED)
    assert answers(make, MIXED[::-1]) == together
    order = [7, 2, 11, 0, 15, 9, 4, 13, 6, 1, 10, 3, 12, 5, 14, 8]
    assert answers(make, [MIXED[number] for number in order]) == together
    for request in MIXED[::5]:
        assert answers(make, [request]) == {request.id: together[request.id]}
    lengths = {len(rollout.token_ids) for rollout in together.values()}
    assert len(lengths) > 4, "the test needs answers that end at different steps"


def test_nor_when_two_threads_share_the_work(make: MakeEngine) -> None:
    torch.set_num_threads(2)
    together = answers(make, MIXED[:5])
    for request in MIXED[1:5:3]:
        assert answers(make, [request]) == {request.id: together[request.id]}


def test_an_answer_does_not_depend_on_its_slot(make: MakeEngine) -> None:
    wanted = ask(5, images=1, tokens=9)
    alone = answers(make, [wanted])[wanted.id]
    for others in range(1, 4):
        queue = [ask(20 + number, tokens=25) for number in range(others)]
        assert answers(make, [*queue, wanted])[wanted.id] == alone


def test_a_group_shares_one_prefill_and_changes_no_bit(
    make: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(number: int, group: str) -> Request:
        base = ask(2, images=1, tokens=10, group=group)
        return replace(base, id=f"{group}{number}", seed=number)

    apart = answers(make, [request(number, "") for number in range(6)])
    engine = make(4)
    prefills: list[int] = []
    whole = engine._slots.prefill

    def counted(slot: int, example: object) -> torch.Tensor:
        prefills.append(slot)
        return whole(slot, example)

    monkeypatch.setattr(engine._slots, "prefill", counted)
    shared = list(engine.generate([request(number, "g") for number in range(6)]))
    assert len(prefills) == 1
    for number, rollout in enumerate(shared):
        assert timeless(replace(rollout, request_id=str(number))) == apart[str(number)]
    assert len({rollout.token_ids for rollout in shared}) > 1


@pytest.mark.parametrize("differs", ["messages", "images", "mode"])
def test_a_group_name_on_another_prompt_shares_nothing(make: MakeEngine, differs: str) -> None:
    first = ask(0, images=1, group="g")
    change = {"messages": ask(1, images=1).messages, "images": (picture(9),), "mode": "think"}
    other = replace(first, id="other", **{differs: change[differs]})
    found = answers(make, [first, other])
    assert found["other"] == answers(make, [replace(other, group="")])["other"]
    assert found["other"].prompt_hash != found[first.id].prompt_hash


def test_no_encoding_outlives_a_call(
    make: MakeEngine, model: PellucidForConditionalGeneration
) -> None:
    request = ask(0, images=1, group="g")
    engine = make(2)
    (before,) = engine.generate([request])
    with torch.no_grad():
        next(model.projector.parameters()).mul_(1.5)
    (after,) = engine.generate([request])
    assert before.logprobs != after.logprobs
    (fresh,) = make(2).generate([request])
    assert timeless(after) == timeless(fresh)


def test_log_probabilities_are_those_of_one_whole_forward_pass(
    make: MakeEngine, model: PellucidForConditionalGeneration, renderer: Renderer
) -> None:
    request = replace(ask(3, images=1, tokens=15), temperature=0.7)
    (rollout,) = make(3).generate([request])
    rendered = renderer.prompt(request.messages, [(40, 48)], "auto")
    example = Processor(renderer).example(rendered, request.images)
    ids = torch.tensor([[*rendered.ids, *rollout.token_ids]])
    with torch.no_grad():
        logits = model(
            input_ids=ids,
            pixel_values=torch.from_numpy(example.patches),
            image_grids=torch.from_numpy(example.grids),
        ).logits[0, len(rendered.ids) - 1 : -1]
    logits[:, banned(renderer, logits.shape[1])] = float("-inf")
    picked = torch.tensor(rollout.token_ids)[:, None]
    for temperature, found in ((1.0, rollout.logprobs), (0.7, rollout.drawn_logprobs)):
        expected = (logits.double() / temperature).log_softmax(-1).gather(1, picked)[:, 0]
        torch.testing.assert_close(
            torch.tensor(found, dtype=torch.float64), expected, rtol=0, atol=2e-5
        )


def test_an_answer_ends_at_its_end_token(
    make: MakeEngine, model: PellucidForConditionalGeneration, renderer: Renderer
) -> None:
    rollouts = list(make(4).generate([ask(number, tokens=40) for number in range(12)]))
    for rollout in rollouts:
        assert renderer.end_id not in rollout.token_ids[:-1]
        if rollout.finish_reason == "stop":
            assert rollout.token_ids[-1] == renderer.end_id
        else:
            assert len(rollout.token_ids) == 40 and rollout.outcome == "truncated"
            assert rollout.answer is None
        assert len(rollout.logprobs) == len(rollout.drawn_logprobs) == len(rollout.token_ids)
    with torch.no_grad():  # equal logits: the log-probability counts the ids that may be drawn
        model.decoder.lm_head.weight[:] = 0
    logprob = next(make(1).generate([ask(0, tokens=1)])).logprobs[0]
    free = model.config.text_config.vocab_size - len(
        banned(renderer, model.config.text_config.vocab_size)
    )
    assert logprob == pytest.approx(-torch.tensor(float(free)).log().item(), abs=1e-6)


def test_the_context_ends_an_answer(make: MakeEngine) -> None:
    request = replace(ask(1, tokens=1000), temperature=0.0)
    (rollout,) = make(2, context=40).generate([request])
    assert rollout.finish_reason == "length"
    assert rollout.prompt_tokens + len(rollout.token_ids) == 40
    (longer,) = make(2).generate([replace(request, max_new_tokens=len(rollout.token_ids) + 5)])
    assert longer.token_ids[: len(rollout.token_ids)] == rollout.token_ids


def test_what_cannot_be_answered_is_a_failed_rollout_and_harms_nobody(make: MakeEngine) -> None:
    sound = ask(4, images=1)
    whole = picture(1)
    bad = {
        "corrupt": replace(ask(0, images=1), images=(b"not a picture",)),
        "cut": replace(ask(0, images=1), images=(whole[: len(whole) // 2],)),
        "missing": replace(ask(0, images=1), images=()),
        "long": replace(ask(0), messages=(user("word " * CONTEXT),)),
        "nothing": replace(ask(0), max_new_tokens=0),
        "cold": replace(ask(0), temperature=-1.0),
        "top": replace(ask(0), top_p=0.0),
    }
    requests = [replace(request, id=name) for name, request in bad.items()]
    found = answers(make, [*requests[:3], sound, *requests[3:]])
    for name in bad:
        assert found[name].outcome == "failed" and found[name].finish_reason == "error"
        assert found[name].answer is None and found[name].token_ids == ()
    assert "images.0" in found["corrupt"].error and "readable" in found["cut"].error
    assert str(CONTEXT) in found["long"].error
    assert found[sound.id] == answers(make, [sound])[sound.id]


def test_numbers_that_are_not_finite_fail_their_own_answer_only(
    make: MakeEngine, model: PellucidForConditionalGeneration, renderer: Renderer
) -> None:
    sound = ask(4, tokens=30)
    expected = answers(make, [sound], slots=2)[sound.id]
    used = {*renderer.prompt(sound.messages, [], "auto").ids, *expected.token_ids}
    texts = ("Where is it? " * 12 + letter for letter in "QZXVJKYW")
    text, poison = next(
        (text, last)
        for text in texts
        if (last := renderer.tokenizer.encode_text(text)[-1]) not in used
    )
    with torch.no_grad():
        embedding = model.get_input_embeddings()
        model.decoder.lm_head.weight = torch.nn.Parameter(embedding.weight.clone())
        embedding.weight[poison] = float("nan")
    engine = make(2)
    sick = replace(ask(1), id="sick", messages=(user(text),))
    found = list(engine.generate([sick, sound, replace(sound, id="again")]))
    assert found[0].outcome == "failed" and "finite" in found[0].error
    assert found[0].prompt_tokens > expected.prompt_tokens + len(expected.token_ids)
    assert timeless(found[1]) == expected
    assert timeless(replace(found[2], request_id=sound.id)) == expected


def test_a_resized_engine_answers_with_the_same_weights_one_at_a_time(make: MakeEngine) -> None:
    requests = [replace(ask(number, images=1), temperature=0.0) for number in range(3)]
    engine = make(4)
    alone = engine.resized(slots=1)
    first = alone.submit(requests[0])
    second = alone.submit(requests[1])
    next(iter(first))
    assert (alone.active, alone.waiting, engine.active) == (1, 1, 0)
    assert second.rollout().finish_reason in ("stop", "length")
    together = [rollout.token_ids for rollout in engine.generate(requests)]
    assert [rollout.token_ids for rollout in alone.generate(requests)] == together
    assert alone.model_id == engine.model_id


def test_prompt_hashes_tell_prompts_apart(make: MakeEngine) -> None:
    requests = [
        ask(0),
        replace(ask(0), id="same", seed=99),
        replace(ask(0, mode="think"), id="mode"),
        ask(1),
        replace(ask(0, images=1), id="image"),
        replace(ask(0, images=1), id="other", images=(picture(77, 40),)),
    ]
    hashes = {rollout.request_id: rollout.prompt_hash for rollout in make().generate(requests)}
    assert hashes["r0"] == hashes["same"]
    assert len(set(hashes.values())) == 5


def test_leaving_a_list_early_frees_the_slots(make: MakeEngine) -> None:
    engine = make(2)
    answered = engine.generate([ask(number, tokens=50) for number in range(6)])
    next(answered)
    answered.close()
    assert engine.active == 0 and engine.waiting == 0


def test_a_shorter_context_gives_the_same_answer_and_no_longer_conversation() -> None:
    def asked(context_tokens: int | None) -> Rollout:
        engine = Engine.load(ASSETS / "backbone", 2, context_tokens=context_tokens)
        told = Request("r", (user("What is 12 + 19?"),), (), "nothink", 12, seed=0)
        (rollout,) = engine.generate(iter([told]))
        return rollout

    whole, short = asked(None), asked(64)
    assert len(whole.token_ids) > 1 and short.token_ids == whole.token_ids
    assert "leaves no room for an answer in the context of 16 tokens" in asked(16).error
    with pytest.raises(UserError, match="context_tokens=4096 .*built for; give at most 1024"):
        asked(4096)
