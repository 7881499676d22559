"""The whole model against an oracle of stock parts, and under `generate`."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

IMAGE = 7  # the shipped tokenizer's placeholder


@pytest.fixture
def inputs():
    """Three pictures between words."""
    generator = torch.Generator().manual_seed(0)
    grids = torch.tensor([(3, 5), (1, 1), (12, 3)])
    words = torch.randint(32, 2048, (1, 90), generator=generator)
    words[0, 3:18] = words[0, 20:21] = words[0, 40:76] = IMAGE
    return words, torch.randn(52, 192, generator=generator), grids


def oracle(model, stock_tower, stock_decoder, stock_features):
    """Stock tower, linear layers and decoder with our weights, put together by hand."""
    tower = stock_tower(model.config.vision_config, model.vision)
    first, last = nn.Linear(32, 48), nn.Linear(48, 48)
    first.load_state_dict(model.projector[0].state_dict())
    last.load_state_dict(model.projector[2].state_dict())
    decoder = stock_decoder(model)

    def logits(ids, patches, grids):
        features = last(F.gelu(first(stock_features(tower, patches, grids, -2))))
        embedded = decoder.get_input_embeddings()(ids).clone()
        embedded[ids == IMAGE] = features
        return decoder(inputs_embeds=embedded).logits

    return logits, {"vision": tower, "projector.0": first, "projector.2": last, "decoder": decoder}


def test_logits_and_gradients_are_those_of_the_stock_parts(
    model, inputs, stock_tower, stock_decoder, stock_features, close
):
    stock, parts = oracle(model, stock_tower, stock_decoder, stock_features)
    logits, expected = model(*inputs).logits, stock(*inputs)
    assert (logits - expected).abs().max() <= 1e-5

    targets = inputs[0][0, 1:]
    F.cross_entropy(logits[0, :-1], targets).backward()
    F.cross_entropy(expected[0, :-1], targets).backward()
    reference = {
        f"{part}.{name}": one.grad
        for part, module in parts.items()
        for name, one in module.named_parameters()
        if one.grad is not None
    }
    close({name: one.grad for name, one in model.named_parameters()}, reference)


@pytest.mark.parametrize("removed", [0, 1])
def test_placeholders_must_match_features(model, inputs, removed):
    ids, patches, grids = inputs
    ids = ids.clone()
    ids[0, 20] = 100 if removed else IMAGE
    ids[0, 80] = 100 if removed else IMAGE
    with pytest.raises(ValueError, match="placeholders for 52 image features"):
        model.embed(ids, patches, grids)


def test_modules_partition_the_parameters(model):
    parts = model.modules_by_name()
    owned = [id(one) for part in parts.values() for one in part.parameters()]
    assert sorted(owned) == sorted(id(one) for one in model.parameters())
    assert any(model.head(torch.eye(48)[:1]).flatten())
    embedding = model.get_input_embeddings().weight
    assert any(embedding is one for one in parts["decoder"].parameters())


def greedy_by_hand(model, ids, patches, grids, tokens):
    """Without a cache: the whole sequence again for every token."""
    for _ in range(tokens):
        logits = model(ids, patches, grids, logits_to_keep=1).logits
        ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], 1)
    return ids


@torch.no_grad()
def test_generate_is_greedy_decoding_and_encodes_images_once(model, inputs):
    ids, patches, grids = inputs
    expected = greedy_by_hand(model, ids, patches, grids, 8)
    calls = []
    handle = model.vision.register_forward_hook(lambda *_: calls.append(1))
    given = model.generate(
        input_ids=ids, pixel_values=patches, image_grids=grids, max_new_tokens=8, eos_token_id=-1
    )
    handle.remove()
    assert given.tolist() == expected.tolist()
    assert len(calls) == 1


@torch.no_grad()
def test_generate_repeats_images_with_their_prompt(model, inputs):
    """Beams copy the prompt; packed patches must be copied as whole images."""
    ids, patches, grids = inputs
    given = model.generate(
        input_ids=ids,
        pixel_values=patches,
        image_grids=grids,
        max_new_tokens=4,
        num_beams=3,
        num_return_sequences=3,
        eos_token_id=-1,
        return_dict_in_generate=True,
        output_scores=True,
    )
    for beam, score in zip(given.sequences, given.sequences_scores, strict=True):
        logits = model(beam[None], patches, grids).logits[0, :-1].log_softmax(-1)
        taken = logits[ids.shape[1] - 1 :].gather(1, beam[ids.shape[1] :, None])
        assert taken.mean().item() == pytest.approx(score.item(), abs=1e-4)


@torch.no_grad()
def test_padded_batch_is_rows_alone(model):
    long, short = torch.randint(32, 2048, (2, 1, 9), generator=torch.Generator().manual_seed(1))
    short = short[:, :5]
    padded = torch.cat([torch.zeros(1, 4, dtype=torch.int64), short], 1)
    both, mask = torch.cat([long, padded]), torch.tensor([[1] * 9, [0] * 4 + [1] * 5])
    given = model.generate(input_ids=both, attention_mask=mask, max_new_tokens=6, eos_token_id=-1)
    for row, alone in ((0, long), (1, short)):
        expected = model.generate(input_ids=alone, max_new_tokens=6, eos_token_id=-1)
        assert given[row, 9:].tolist() == expected[0, alone.shape[1] :].tolist()
