"""Slots: the same tokens as `generate`, and bits that depend on no other slot."""

import pytest
import torch

from pellucid.model.cache import SlotCache

IMAGE, SLOTS, LENGTH = 7, 4, 64


@pytest.fixture
def prompts():
    """Ids, patches and grids of four prompts; the second shows a picture."""
    generator = torch.Generator().manual_seed(0)
    texts = [torch.randint(32, 2048, (1, size), generator=generator) for size in (13, 30, 5, 21)]
    prompts = [(ids, None, None) for ids in texts]
    texts[1][0, 2:17] = IMAGE
    picture = torch.randn(15, 192, generator=generator), torch.tensor([(3, 5)])
    prompts[1] = (texts[1], *picture)
    return prompts


def prefill(model, cache, slot, prompt):
    """Logits that follow the prompt."""
    ids, patches, grids = prompt
    places = model.positions(ids, grids, ids.shape[1:])
    hidden = model.hidden(
        model.embed(ids, patches, grids), past_key_values=cache.prefill(slot, places)
    )
    return model.head(hidden[0, -1])


def answer(model, cache, places, prompts, tokens=8):
    """Greedy ids and logits of prompts in slots `places`: {slot: prompt}."""
    newest = torch.zeros(SLOTS, 1, dtype=torch.int64)
    logits = {}
    for slot, prompt in places.items():
        logits[slot] = [prefill(model, cache, slot, prompts[prompt])]
        newest[slot] = logits[slot][0].argmax()
    ids = {slot: [int(newest[slot])] for slot in places}
    for _ in range(tokens - 1):
        hidden = model.hidden(model.embed(newest), past_key_values=cache)
        step = model.head(hidden[:, 0])
        cache.advance(list(places))
        for slot in places:
            logits[slot].append(step[slot])
            newest[slot] = step[slot].argmax()
            ids[slot].append(int(newest[slot]))
    return ids, {slot: torch.stack(each) for slot, each in logits.items()}


def fresh(model):
    return SlotCache(model.config, SLOTS, LENGTH)


@torch.no_grad()
def test_slots_answer_as_generate_does(model, prompts):
    places = {3: 0, 0: 1, 1: 2, 2: 3}
    ids, _ = answer(model, fresh(model), places, prompts)
    for slot, prompt in places.items():
        tokens, patches, grids = prompts[prompt]
        images = {} if patches is None else {"pixel_values": patches, "image_grids": grids}
        expected = model.generate(input_ids=tokens, **images, max_new_tokens=8, eos_token_id=-1)
        assert ids[slot] == expected[0, tokens.shape[1] :].tolist()


@torch.no_grad()
@pytest.mark.parametrize("neighbours", [{}, {1: 2}, {1: 1, 2: 3, 3: 0}])
def test_neighbours_change_no_bit(model, prompts, neighbours):
    _, alone = answer(model, fresh(model), {0: 1}, prompts)
    cache = fresh(model)
    answer(model, cache, dict.fromkeys(range(SLOTS), 3), prompts)  # leaves old keys and values
    _, beside = answer(model, cache, {0: 1, **neighbours}, prompts)
    assert torch.equal(alone[0], beside[0])


@torch.no_grad()
def test_every_slot_computes_the_same_bits(model, prompts):
    _, first = answer(model, fresh(model), {0: 0}, prompts)
    for slot in range(1, SLOTS):
        _, other = answer(model, fresh(model), {slot: 0}, prompts)
        assert torch.equal(first[0], other[slot])


@torch.no_grad()
def test_a_copied_slot_goes_on_as_its_source(model, prompts):
    cache = fresh(model)
    logits = prefill(model, cache, 2, prompts[1])
    kept = cache.keep(2)
    for slot in (0, 3):
        cache.restore(slot, kept)
    newest = torch.full((SLOTS, 1), int(logits.argmax()))
    step = model.head(model.hidden(model.embed(newest), past_key_values=cache)[:, 0])
    assert torch.equal(step[0], step[2])
    assert torch.equal(step[3], step[2])
    assert not torch.equal(step[1], step[2])
    assert [cache.used(slot) for slot in range(SLOTS)] == [30, 0, 30, 30]


@torch.no_grad()
def test_a_step_that_is_not_kept_is_forgotten(model, prompts):
    cache = fresh(model)
    prefill(model, cache, 0, prompts[0])
    wrong, right = torch.full((SLOTS, 1), 99), torch.full((SLOTS, 1), 100)
    model.hidden(model.embed(wrong), past_key_values=cache)
    after = model.hidden(model.embed(right), past_key_values=cache)
    other = fresh(model)
    prefill(model, other, 0, prompts[0])
    assert torch.equal(after[0], model.hidden(model.embed(right), past_key_values=other)[0])


@torch.no_grad()
def test_autocast_stores_bf16(model, prompts):
    cache = SlotCache(model.config, SLOTS, LENGTH, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        _, rough = answer(model, cache, {0: 0}, prompts, tokens=3)
    reference = model(prompts[0][0]).logits[0, -1]
    assert cache.keys.dtype == torch.bfloat16
    assert (rough[0][0].float() - reference).abs().max() < 0.05


def test_a_prompt_must_fit(model):
    for tokens in (0, LENGTH + 1):
        with pytest.raises(ValueError, match="does not fit"):
            fresh(model).prefill(0, torch.arange(tokens)[None])


def test_a_full_slot_cannot_advance(model):
    cache = fresh(model)
    cache.prefill(1, torch.arange(LENGTH)[None])
    with pytest.raises(AssertionError, match="slot 1 is full"):
        cache.advance([1])
