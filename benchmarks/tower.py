"""The packed vision tower beside the stock padded one: same weights, same pictures, in one run.

    .venv/bin/python benchmarks/tower.py
    .venv/bin/python benchmarks/tower.py --dtype bfloat16 --repeats 9

The stock model is transformers' `Siglip2VisionModel` (SDPA) on pictures padded to 3,600 patches, as
the published processor pads them; ours gets the same patches without padding. Both run the same
layers (ours leaves out the last one of a checkpoint; the stock one gets a layer less instead, and
no pooling head) and both outputs are compared before anything is timed. Runs alternate; medians.

`ceiling` is what padding costs by arithmetic: multiplications of the stock tower over those of
ours. `share` is our ratio over that ceiling; 0.85 is asked, and no ratio under 0.95. Exit code 1
when one is missed. Leaves out on purpose: pictures to patches (`benchmarks/preprocessing.py`).
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import Siglip2VisionConfig, Siglip2VisionModel

from pellucid.model.vision.tower import VisionTower
from pellucid.prompt.plan import plan
from pellucid.recipe.model import DynamicImages

PADDED = 3600
RULE = DynamicImages(min_patches=256, max_patches=PADDED)
PATCH_PX = 16
LAYERS = 2
BATCHES = {
    "224x224": [(224, 224)] * 2,
    "640x480": [(640, 480)] * 2,
    "100x2000": [(100, 2000)] * 2,
    "1170x2532": [(1170, 2532)] * 2,
    "1280x720": [(1280, 720)] * 2,
    "mix of the five": [(224, 224), (640, 480), (100, 2000), (1170, 2532), (1280, 720)],
    "small mix": [(224, 224), (640, 480), (800, 600), (400, 300)],
}
SHARE, LEAST = 0.85, 0.95


class Case(NamedTuple):
    """One batch, both ways."""

    grids: Tensor
    """(n, 2)"""
    packed: Tensor
    """(p, c)"""
    padded: Tensor
    """(n, 3600, c)"""
    mask: Tensor
    """(n, 3600)"""


def towers(width: int) -> tuple[VisionTower, Siglip2VisionModel, Siglip2VisionConfig]:
    """Ours and the stock one, with the same weights."""
    torch.manual_seed(0)
    config = Siglip2VisionConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=LAYERS,
        num_attention_heads=width // 64, num_patches=256, patch_size=PATCH_PX,
        vision_use_head=False,
    )  # fmt: skip
    stock = Siglip2VisionModel._from_config(config, attn_implementation="sdpa").eval()
    ours = VisionTower(config, feature_layer=-1)
    names = set(ours.state_dict())
    weights = {
        name.removeprefix("vision_model."): tensor for name, tensor in stock.state_dict().items()
    }
    ours.load_state_dict({name: weights[name] for name in names})
    return ours, stock, config


def case(sizes: list[tuple[int, int]]) -> Case:
    """Patches of noise in the grids of some picture sizes."""
    views = [plan(RULE, PATCH_PX, *size).views[0] for size in sizes]
    grids = torch.tensor([(view.rows, view.cols) for view in views])
    counts = grids.prod(1).tolist()
    packed = torch.randn(sum(counts), 3 * PATCH_PX**2)
    padded = torch.zeros(len(sizes), PADDED, packed.shape[1])
    mask = torch.zeros(len(sizes), PADDED, dtype=torch.int32)
    for row, part in enumerate(packed.split(counts)):
        padded[row, : len(part)], mask[row, : len(part)] = part, 1
    return Case(grids, packed, padded, mask)


def multiplications(counts: list[int], config: Siglip2VisionConfig) -> int:
    """Of the layers' products for images of so many patches."""
    width, mlp = config.hidden_size, config.intermediate_size
    each = 4 * width**2 + 2 * width * mlp
    return LAYERS * sum(count * each + 2 * width * count**2 for count in counts)


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print a line for each batch and direction."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    ours, stock, config = towers(options.width)
    lower = torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16")
    threads = torch.get_num_threads()
    print(f"width {options.width}, {LAYERS} layers, {options.dtype}, {threads} threads")
    names = "".join(name.rjust(9) for name in ("stock s", "ours s", "ratio", "ceiling", "share"))
    print(f"{'pictures':<17}{'':<18}{names}")
    reached = True
    for name, sizes in BATCHES.items():
        one = case(sizes)
        counts = one.grids.prod(1).tolist()

        def packed(one: Case = one) -> Tensor:
            with lower:
                return ours(one.packed, one.grids)

        def padded(one: Case = one) -> Tensor:
            with lower:
                found = stock(one.padded, one.mask, one.grids, output_hidden_states=True)
            return found.hidden_states[-1]

        with torch.no_grad():
            real = torch.cat([row[:n] for row, n in zip(padded(), counts, strict=True)])
            away = (real - packed()).abs().max() / real.abs().max()
        assert away < (1e-4 if options.dtype == "float32" else 0.05), f"{name}: {away=}"
        ceiling = multiplications([PADDED] * len(counts), config) / multiplications(counts, config)
        for backward in (False, True):

            def ran(features: Callable[[], Tensor], backward: bool = backward) -> None:
                with torch.set_grad_enabled(backward):
                    found = features()
                if backward:
                    found.square().sum().backward()

            times: dict[str, list[float]] = {"stock": [], "ours": []}
            for _ in range(options.repeats + 1):
                times["stock"].append(seconds(lambda: ran(padded)))
                times["ours"].append(seconds(lambda: ran(packed)))
            stock_s, ours_s = (statistics.median(some[1:]) for some in times.values())
            ratio = stock_s / ours_s
            reached &= ratio >= LEAST and ratio / ceiling >= SHARE
            way = "forward+backward" if backward else "forward"
            line = f"{name:<17}{way:<18}{stock_s:>9.3f}{ours_s:>9.3f}{ratio:>9.2f}"
            print(f"{line}{ceiling:>9.2f}{ratio / ceiling:>9.2f}", flush=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
