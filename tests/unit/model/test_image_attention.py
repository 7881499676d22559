"""Tokens of an image that see each other: alike in packs, slots, padded rows and `generate`."""

import numpy as np
import pytest
import torch

from pellucid.infer.slots import Slots
from pellucid.model import checkpoint
from pellucid.model.attention import packed_attention, seen
from pellucid.schema.record import ImageRef, Source, assistant, make_record, user
from pellucid.train.batch import collate
from pellucid.train.objective import Objective


@pytest.fixture(scope="module")
def both(options, renderer):
    """The same weights under causal attention and under that of the ablation."""
    decoder = options.decoder.model_copy(update={"image_attention": "bidirectional"})
    other = options.model_copy(update={"decoder": decoder})
    return checkpoint.build(options, 7, renderer), checkpoint.build(other, 7, renderer)


@pytest.fixture
def examples(renderer, processor, picture):
    """A text, and conversations with one picture and with two."""
    turns = [
        ((user("2 + 2?"), assistant("4")), []),
        ((user("See ", 0, "?"), assistant("a bar")), [(40, 50)]),
        ((user("First ", 0, " and ", 1, "?"), assistant("two")), [(30, 30), (60, 20)]),
    ]
    found = []
    for messages, sizes in turns:
        images = tuple(ImageRef(str(at) * 64, *size) for at, size in enumerate(sizes))
        source = Source("toy", "train", len(found), "CC0-1.0")
        record = make_record(
            messages=messages, images=images, answer=None, task="t", domain="d", source=source
        )
        (rendered,) = renderer.examples(record)
        seen = [picture(*size, seed=at) for at, size in enumerate(sizes)]
        found.append(processor.example(rendered, seen))
    return found


def hidden(model, example, moved: int | None = None):
    ids = torch.from_numpy(example.ids)[None]
    grids = torch.from_numpy(example.grids)
    embedded = model.embed(ids, torch.from_numpy(example.patches), grids)
    if moved is not None:
        embedded[0, moved] += 1.0
    return model.hidden(embedded, images=model.images(ids), segments=[ids.shape[1]])[0]


def test_who_sees_whom_by_hand() -> None:
    """Text, an image of two tokens, text."""
    mask = seen(torch.tensor([[0, 1, 1, 0]]))[0, 0].int().tolist()
    assert mask == [[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_a_pack_is_that_of_its_masks_alone() -> None:
    torch.manual_seed(0)
    segments, images = [3, 5, 2], torch.tensor([0, 1, 1, 0, 2, 2, 2, 0, 3, 3])
    q, k, v = (torch.randn(10, heads, 4) for heads in (4, 2, 2))
    found = packed_attention(q, k, v, segments, causal=True, images=images)
    for start, stop in ((0, 3), (3, 8), (8, 10)):
        alone = [part[start:stop].transpose(0, 1)[None] for part in (q, k, v)]
        want = torch.nn.functional.scaled_dot_product_attention(
            *alone, attn_mask=seen(images[None, start:stop]), enable_gqa=True
        )[0].transpose(0, 1)
        assert torch.allclose(found[start:stop], want, atol=1e-6)


def test_an_image_s_first_token_sees_its_last(both, examples, renderer) -> None:
    example = examples[1]
    places = np.flatnonzero(example.ids == renderer.image_id).tolist()
    with torch.no_grad():
        for model, sees in zip(both, (False, True), strict=True):
            found = hidden(model, example), hidden(model, example, places[-1])
            moved = (found[1] - found[0]).abs().sum(-1)
            assert (moved[places[0]] > 1e-6) == sees
            assert not moved[: places[0]].any(), "what stands before an image never sees it"


def test_text_alone_is_what_it_was(both, examples) -> None:
    causal, other = (hidden(model, examples[0]) for model in both)
    assert torch.equal(causal, other)


def test_packed_equals_unpacked(both, examples) -> None:
    objective = Objective(both[1], "float32")
    together = objective(collate(examples, "cpu"))
    apart = torch.cat([objective(collate([one], "cpu")) for one in examples])
    assert torch.allclose(together, apart, atol=1e-5)
    causal = Objective(both[0], "float32")(collate(examples, "cpu"))
    assert not torch.allclose(together, causal, atol=1e-5)


def test_forward_generate_and_the_engine_agree(both, renderer, processor, picture) -> None:
    model = both[1]
    rendered = renderer.prompt([user("First ", 0, " and ", 1, "?")], [(30, 30), (60, 20)])
    example = processor.example(rendered, [picture(30, 30), picture(60, 20, seed=1)])
    ids = torch.from_numpy(example.ids)[None]
    grids = torch.from_numpy(example.grids)
    given = {"pixel_values": torch.from_numpy(example.patches), "image_grids": grids}
    with torch.no_grad():
        logits = model(input_ids=ids, **given).logits[0]
        packed = model.head(hidden(model, example))
        assert torch.allclose(logits, packed, atol=1e-5)
        slots = Slots(model, renderer, 2, 256, "cpu", "float32")
        first = slots.prefill(1, example)[0]
        offered = first > -torch.inf  # control tokens are never offered
        assert torch.allclose(first[offered], packed[-1][offered], atol=1e-5)
        answer = model.generate(input_ids=ids, **given, max_new_tokens=6, eos_token_id=None)
        whole = ids
        for _ in range(6):  # the whole row anew for every token
            inside = model(input_ids=whole, **given).logits[0, -1]
            whole = torch.cat([whole, inside.argmax().reshape(1, 1)], 1)
    assert answer[0].tolist() == whole[0].tolist()


def test_padded_rows_see_no_padding(both, renderer, processor, picture) -> None:
    model = both[1]
    rendered = renderer.prompt([user(0, "?")], [(30, 30)])
    example = processor.example(rendered, [picture(30, 30)])
    ids = torch.from_numpy(example.ids)
    rows = torch.stack([torch.cat([ids, ids.new_zeros(3)]), torch.cat([ids, ids.new_ones(3)])])
    mask = torch.ones_like(rows)
    mask[:, -3:] = 0
    patches = torch.from_numpy(np.concatenate([example.patches] * 2))
    grids = torch.from_numpy(np.concatenate([example.grids] * 2))
    with torch.no_grad():
        found = model(
            input_ids=rows, attention_mask=mask, pixel_values=patches, image_grids=grids
        ).logits[:, : len(ids)]
        alone = model.head(hidden(model, example))
    assert torch.allclose(found[0], alone, atol=1e-5) and torch.allclose(found[1], alone, atol=1e-5)


def test_it_survives_its_file(both, renderer, tmp_path) -> None:
    for model, name in zip(both, ("causal", "bidirectional"), strict=True):
        checkpoint.save(model, renderer, tmp_path / name)
        assert checkpoint.load(tmp_path / name).model.config.image_attention == name
    assert "image_attention" not in (tmp_path / "causal" / "config.json").read_text("utf-8")


def test_what_would_be_causal_in_silence_is_refused(both, renderer, processor, picture) -> None:
    model = both[1]
    rendered = renderer.prompt([user(0, "?")], [(30, 30)])
    example = processor.example(rendered, [picture(30, 30)])
    ids, grids = torch.from_numpy(example.ids)[None], torch.from_numpy(example.grids)
    given = {"pixel_values": torch.from_numpy(example.patches), "image_grids": grids}
    with torch.no_grad():
        kept = model(input_ids=ids, **given, use_cache=True).past_key_values
        with pytest.raises(ValueError, match="before anything is kept"):
            model(input_ids=ids, **given, past_key_values=kept)
        embedded = model.embed(ids, **given)
        with pytest.raises(ValueError, match="come as input_ids"):
            model(inputs_embeds=embedded)
        model.set_attn_implementation("eager")
        with pytest.raises(ValueError, match="got 'eager'"):
            model(input_ids=ids, **given)
        model.set_attn_implementation("pellucid")
