"""Packed equals unpacked, in loss and in the gradient of every parameter; and the test can fail."""

from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Phi3Config

from pellucid.model.decoder import PhiDecoder

IMAGE = 7  # the shipped tokenizer's placeholder

# Numbers are text tokens, pairs are image grids.
CONVERSATIONS = [
    [4, (3, 5), 2, (2, 2), 9],  # two images
    [21],  # text only
    [(1, 1), 6],  # starts with an image of one patch
    [3],
    [5, (3, 5), 5],
]


class Row(NamedTuple):
    """One conversation, or several packed."""

    ids: Tensor
    labels: Tensor
    patches: Tensor
    grids: Tensor


def make_row(parts, generator):
    pieces = [
        torch.full((part[0] * part[1],), IMAGE)
        if isinstance(part, tuple)
        else torch.randint(32, 2048, (part,), generator=generator)
        for part in parts
    ]
    ids = torch.cat(pieces)[None]
    learnt = (torch.rand(ids.shape, generator=generator) < 0.6) & (ids != IMAGE)
    learnt[0, -1] = True
    grids = torch.tensor([part for part in parts if isinstance(part, tuple)], dtype=torch.int64)
    patches = int(grids.reshape(-1, 2).prod(1).sum())
    return Row(
        ids,
        ids.masked_fill(~learnt, -100),
        torch.randn(patches, 192, generator=generator),
        grids.reshape(-1, 2),
    )


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    return [make_row(parts, generator) for parts in CONVERSATIONS]


def pack(rows):
    """One row; the first label of a segment is dropped, nothing of its own segment predicts it."""
    labels = [row.labels.clone() for row in rows]
    for each in labels:
        each[0, 0] = -100
    return Row(
        torch.cat([row.ids for row in rows], 1),
        torch.cat(labels, 1),
        torch.cat([row.patches for row in rows]),
        torch.cat([row.grids for row in rows]),
    )


def lengths(rows):
    return [row.ids.shape[1] for row in rows]


def loss_and_gradients(model, row, segments=None):
    """Summed next-token loss, and gradients of what got one."""
    model.zero_grad()
    hidden = model.hidden(model.embed(row.ids, row.patches, row.grids), segments=segments)
    logits, labels = model.head(hidden)[0, :-1], row.labels[0, 1:]
    loss = F.cross_entropy(logits, labels, reduction="sum", ignore_index=-100)
    loss.backward()
    named = model.named_parameters()
    return loss.item(), {name: one.grad.clone() for name, one in named if one.grad is not None}


def unpacked(model, rows):
    """Losses and gradients of the conversations, each run alone, added up."""
    total, gradients = 0.0, {}
    for row in rows:
        loss, found = loss_and_gradients(model, row)
        total += loss
        for name, gradient in found.items():
            gradients[name] = gradients.get(name, 0) + gradient
    return total, gradients


def test_packed_equals_unpacked(model, rows, close):
    loss, gradients = loss_and_gradients(model, pack(rows), lengths(rows))
    expected, reference = unpacked(model, rows)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert len(reference) == len(list(model.parameters()))
    close(gradients, reference)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wanted", [[3, 4, 9, 20], [7, 0, 7], []])
def test_rows_that_are_asked_for_are_those_of_all(model, rows, close, wanted, dtype):
    """Packed or one row alone: states, and the gradients of everything below them."""
    packed, places = pack(rows), torch.tensor(wanted, dtype=torch.int64)
    for row, segments in ((packed, lengths(rows)), (rows[0], None)):
        found = []
        for asked in (None, places):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                embedded = model.embed(row.ids, row.patches, row.grids)
                hidden = model.hidden(embedded, segments=segments, rows=asked)
            states = hidden if asked is not None else hidden[:, places]
            (states.float() ** 3).sum().backward()
            named = model.named_parameters()
            grads = {name: one.grad.clone() for name, one in named if one.grad is not None}
            found.append((states.detach().float(), grads))
        (all_states, all_grads), (own_states, own_grads) = found
        assert own_states.shape == (1, len(wanted), all_states.shape[-1])
        near = (
            {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.02}
        )
        torch.testing.assert_close(own_states, all_states, **near)
        assert own_grads.keys() == all_grads.keys(), "nobody waits for a gradient that never comes"
        if not wanted:
            assert not any(grad.any() for grad in own_grads.values())
        elif dtype == torch.float32:
            close(own_grads, all_grads)


def test_order_within_a_pack_does_not_matter(model, rows, close):
    loss, gradients = loss_and_gradients(model, pack(rows), lengths(rows))
    turned = rows[::-1]
    expected, reference = loss_and_gradients(model, pack(turned), lengths(turned))
    assert loss == pytest.approx(expected, rel=1e-5)
    close(gradients, reference)


@pytest.mark.parametrize("boundary", range(len(CONVERSATIONS) - 1))
def test_one_leaking_position_is_seen(model, rows, close, boundary):
    leaking = lengths(rows)
    leaking[boundary] += 1
    leaking[boundary + 1] -= 1
    loss, gradients = loss_and_gradients(model, pack(rows), leaking)
    expected, reference = unpacked(model, rows)
    assert loss != pytest.approx(expected, rel=1e-5)
    with pytest.raises(AssertionError):
        close(gradients, reference)


def test_text_only_pack_leaves_the_tower_alone(model, rows, close):
    texts = [row for row in rows if len(row.grids) == 0]
    loss, gradients = loss_and_gradients(model, pack(texts), lengths(texts))
    expected, reference = unpacked(model, texts)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert all(name.startswith("decoder.") for name in gradients)
    close(gradients, reference)


def test_forward_counts_the_same_labels(model, rows):
    counted = sum(int((row.labels[0, 1:] != -100).sum()) for row in rows)
    packed = Row(*(torch.cat(each, 1 if each[0].ndim == 2 and len(each[0]) == 1 else 0)
                   for each in [[row.ids for row in rows], [row.labels for row in rows]]),
                 *pack(rows)[2:])  # fmt: skip
    given = model(
        packed.ids, packed.patches, packed.grids, segments=lengths(rows), labels=packed.labels
    )
    expected, _ = unpacked(model, rows)
    assert given.loss.item() == pytest.approx(expected / counted, rel=1e-5)


def test_packed_attention_builds_no_square_mask(model):
    """A row of 20,000 tokens: a (t, t) mask of booleans alone would take 400 MB."""
    segments = [20] * 1000
    tokens = sum(segments)
    embedded = torch.randn(1, tokens, 48)
    largest = []
    with torch.no_grad(), _RecordSizes(largest):
        model.hidden(embedded, segments=segments)
    assert max(largest) < 1000 * tokens


class _RecordSizes(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the number of elements of every tensor that is made."""

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.sizes.append(made.numel())
        return made


@pytest.mark.parametrize(
    ("segments", "mask", "message"),
    [([3, 3], None, "do not fill"), ([3, 4], torch.ones(1, 7), "no padding")],
)
def test_segments_that_cannot_be_are_refused(model, segments, mask, message):
    with pytest.raises(ValueError, match=message):
        model.hidden(torch.randn(1, 7, 48), segments=segments, attention_mask=mask)


def test_another_attention_cannot_be_packed(model):
    model.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="attn_implementation='pellucid'"):
        model.hidden(torch.randn(1, 7, 48), segments=[3, 4])


def test_training_goes_on_after_inference_on_the_same_lengths(model, rows):
    """Layouts are cached; those made in inference mode must be fit for a backward pass."""
    row = rows[0]
    segments = (row.ids.shape[1] - 5, 5)
    with torch.inference_mode():
        model.hidden(model.embed(row.ids, row.patches, row.grids), segments=segments)
    _, gradients = loss_and_gradients(model, row, segments)
    assert len(gradients) == len(list(model.parameters()))


def test_the_last_layer_drops_out_what_its_configuration_says():
    config = Phi3Config(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=50, pad_token_id=0, eos_token_id=1, resid_pdrop=0.25,
    )  # fmt: skip
    (last,) = PhiDecoder(config).model.layers
    assert (last.resid_attn_dropout.p, last.resid_mlp_dropout.p) == (0.25, 0.25)
