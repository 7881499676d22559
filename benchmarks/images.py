"""What the rows of Table 1 of the Phi-4-reasoning-vision report make of pictures of many sizes.

    .venv/bin/python benchmarks/images.py

Tokens are what the decoder reads, patches what the tower reads. The sizes are those of thumbnails,
photographs, pages scanned at 150 dots per inch, and screens; the mean counts each once.
"""

from statistics import mean

from pellucid.prompt.plan import plan
from pellucid.recipe.model import (
    DynamicImages,
    DynamicS2Images,
    ImageOptions,
    MultiCropImages,
    MultiCropS2Images,
    S2Images,
)

PATCH_PX = 16
ROWS: dict[str, ImageOptions] = {
    "dynamic S2, 3096": DynamicS2Images(),
    "multi-crop, 3096": MultiCropImages(),
    "multi-crop with S2, 2048": MultiCropS2Images(),
    "dynamic, 2048": DynamicImages(min_patches=256, max_patches=2048),
    "dynamic, 3600": DynamicImages(min_patches=256, max_patches=3600),
    "S2 (beside the table)": S2Images(),
}
SIZES = (
    (224, 224), (384, 384), (640, 480), (800, 600), (1024, 768), (1000, 1000), (1240, 1754),
    (1280, 720), (1920, 1080), (1170, 2532), (2560, 1440), (3840, 2160), (600, 3000), (1600, 400),
)  # fmt: skip


def main() -> None:
    """Print a line for each row and size, then the means."""
    print(f"{'':<26}" + "".join(f"{w}x{h}".rjust(11) for w, h in SIZES))
    for name, options in ROWS.items():
        tokens = [plan(options, PATCH_PX, *size).tokens for size in SIZES]
        print(f"{name:<26}" + "".join(f"{one:>11}" for one in tokens))
    print(f"\n{'mean of the sizes':<26}{'tokens':>8}{'of most':>9}{'patches':>9}{'of most':>9}")
    for name, options in ROWS.items():
        plans = [plan(options, PATCH_PX, *size) for size in SIZES]
        tokens, patches = mean(one.tokens for one in plans), mean(one.patches for one in plans)
        most = options.most_tokens(PATCH_PX), options.most_patches(PATCH_PX)
        shares = f"{tokens:>8.0f}{tokens / most[0]:>9.2f}{patches:>9.0f}{patches / most[1]:>9.2f}"
        print(f"{name:<26}{shares}")


if __name__ == "__main__":
    main()
