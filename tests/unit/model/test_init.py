"""Random weights: what an even patch starts as, and that the rest is not flattened with it."""

import torch


def test_an_even_patch_starts_as_nothing_and_an_edge_as_something(model) -> None:
    weight = model.vision.embeddings.patch_embedding.weight.detach().flatten(1)
    size = weight.shape[1]
    even = weight @ torch.ones(size)
    edge = weight @ torch.cat([torch.ones(size // 2), -torch.ones(size // 2)])
    assert float(even.abs().max()) < 1e-4
    assert float(edge.abs().mean()) > 0.1
