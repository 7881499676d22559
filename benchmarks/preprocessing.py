"""Pictures to patches: ours beside transformers' `Siglip2ImageProcessorPil`, in one run.

    .venv/bin/python benchmarks/preprocessing.py

Both get the same decoded pictures and the same rule (the stock one: fill 3,600 patches), and make
the same numbers, which is checked first. The stock processor pads to 3,600 rows; ours does not.
Runs alternate; medians. Asked: five times as many pictures a second where none is resized, twice as
many in the median where they are, and never fewer. Exit code 1 when that is missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from pellucid.model.vision import patchify
from pellucid.prompt.plan import plan
from pellucid.recipe.model import Siglip2Images

PATCHES, PATCH_PX = 3600, 16
RULE = Siglip2Images(max_patches=PATCHES)
SIZES = {
    "as it is": [(1280, 720), (960, 960), (720, 1280)],
    "resized": [(224, 224), (640, 480), (100, 2000), (1170, 2532), (1920, 1080), (3840, 2160)],
}
AS_IT_IS, RESIZED, LEAST = 5.0, 2.0, 1.0


def picture(width: int, height: int) -> Image.Image:
    """Noise over a slope."""
    draw = np.random.default_rng(width * 10_000 + height)
    slope = np.linspace(0, 128, width)[None, :, None]
    noise = draw.integers(0, 128, (height, width, 3))
    return Image.fromarray((slope + noise).astype(np.uint8))


def ours(one: Image.Image) -> np.ndarray:
    """Patches of a picture."""
    return patchify(RULE, PATCH_PX, one, plan(RULE, PATCH_PX, *one.size))


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    stock = Siglip2ImageProcessorPil(max_num_patches=PATCHES, patch_size=PATCH_PX)
    print(f"{'size':<12}{'':<10}{'stock ms':>9}{'ours ms':>9}{'ratio':>7}")
    reached = True
    for kind, sizes in SIZES.items():
        ratios = []
        for size in sizes:
            one = picture(*size)
            mine = ours(one)
            theirs = stock(images=[one], return_tensors="np")["pixel_values"][0][: len(mine)]
            away = float(np.abs(mine - theirs).max())
            assert away < 1e-5, f"{size}: {away=}"
            times: dict[str, list[float]] = {"stock": [], "ours": []}
            for _ in range(repeats):
                times["stock"].append(timed(lambda one=one: stock(images=[one])))
                times["ours"].append(timed(lambda one=one: ours(one)))
            stock_s, ours_s = (statistics.median(some) for some in times.values())
            ratios.append(stock_s / ours_s)
            shown = f"{size[0]}x{size[1]}"
            print(
                f"{shown:<12}{kind:<10}{1e3 * stock_s:>9.1f}{1e3 * ours_s:>9.1f}{ratios[-1]:>7.2f}"
            )
        if kind == "as it is":
            reached &= min(ratios) >= AS_IT_IS
        else:
            reached &= statistics.median(ratios) >= RESIZED and min(ratios) >= LEAST
            print(f"median of the resized: {statistics.median(ratios):.2f}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
