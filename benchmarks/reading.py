"""What a checkpoint reads: words and digits of captions of scenes that nothing has seen.

    .venv/bin/python benchmarks/reading.py                          the shipped backbone
    .venv/bin/python benchmarks/reading.py FOLDER --scenes 20

Under teacher forcing: a token counts as read when it is the likeliest after the caption so far.
Prints, for each family, the share and the mean loss in nats.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from pellucid.base.paths import ASSETS
from pellucid.data.sources.scenes import build
from pellucid.data.synth.language import drawn_words
from pellucid.model.checkpoint import Loaded, load
from pellucid.model.processor import Processor
from pellucid.recipe.data import ScenesSource
from pellucid.store import Store, open
from pellucid.train.batch import collate
from pellucid.train.objective import Objective

SEED = 70_000_000
GRID = {"on_grid": True, "min_side_px": 128, "max_side_px": 176}
SCENES: dict[str, dict[str, Any]] = {
    "pages": {"columns": 2, "rows": 8, "max_digits": 4, "word_share": 0.6},
    "charts": {"min_bars": 2, "max_bars": 5, "max_value": 30},
    "documents": {"min_lines": 2, "max_lines": 5, "max_cents": 99},
    "geometry": {"min_figures": 1, "max_figures": 4, "max_length": 12},
    "screens": {"min_controls": 3, "max_controls": 5, "max_number": 99},
    "shapes": {"min_shapes": 2, "max_shapes": 6},
}


def read(loaded: Loaded, store: Store) -> dict[str, list[tuple[bool, float]]]:
    """For words and for digits: whether each was the likeliest, and its loss."""
    words, found = set(drawn_words().split()), defaultdict(list)
    processor, tokenizer = Processor(loaded.renderer), loaded.renderer.tokenizer
    for record in store.records(tasks=("caption",)):
        images = [store.image(image.sha256) for image in record.images]
        (rendered,) = loaded.renderer.examples(record)
        batch = collate([processor.example(rendered, images)], "cpu")
        with torch.no_grad():
            losses = Objective(loaded.model, "float32")(batch)
            embedded = loaded.model.embed(batch.input_ids, batch.patches, batch.grids)
            hidden = loaded.model.hidden(embedded, segments=batch.segments)
            likeliest = loaded.model.head(hidden[0, batch.sources]).argmax(-1)
        for target, best, loss in zip(batch.targets, likeliest, losses, strict=True):
            text = tokenizer.decode([int(target)]).strip()
            kind = "words" if text in words else "digits" if text.isdigit() else ""
            found[kind].append((bool(target == best), float(loss)))
    return found


def main() -> None:
    """Draw, read, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ASSETS / "backbone")
    parser.add_argument("--scenes", type=int, default=20, help="pictures of each family")
    told = parser.parse_args()
    loaded = load(told.folder)
    for kind, scene in SCENES.items():
        source = {"kind": "scenes", "scene": {"kind": kind, **scene, **GRID}}
        options = {"scenes": told.scenes, "seed": SEED, "tasks": ["caption"]}
        with tempfile.TemporaryDirectory() as folder:
            drawn = ScenesSource.model_validate({**source, **options})
            build(kind, drawn, 0, Path(folder))
            found = read(loaded, open(Path(folder)))
        for what in ("words", "digits"):
            hits, losses = zip(*found[what], strict=True)
            share, nats = sum(hits) / len(hits), sum(losses) / len(losses)
            print(f"{kind:<10} {what:<7} {share:.2f}  {nats:.2f} nats  n={len(hits)}")


if __name__ == "__main__":
    main()
