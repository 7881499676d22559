"""The peer of `resume.py`, in its own environment: transformers' Trainer, stopped and resumed.

    PYTHON resume_peer.py index|stream FOLDER NAME UNTIL

UNTIL a step it trains and stops with a checkpoint; with 0 it goes on from there, does one step, and
prints its number and the seconds since $STARTED.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    Qwen2_5_VLForConditionalGeneration,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

BATCH = 8


class Reader:
    """Reads one example, its picture from its file."""

    def __init__(self, folder: Path) -> None:
        self.folder, held = folder, np.load(folder / "examples.npz")
        self.held = {name: held[name] for name in held.files}
        self.count = sum(name.startswith("ids") for name in self.held)

    def read(self, at: int) -> dict:
        """Ids and patches of 14 pixels a side, four of which are one token."""
        pixels = np.asarray(Image.open(self.folder / f"images/{at}.png").convert("RGB"))
        pixels = (pixels.astype(np.float32) / 255 - 0.5) / 0.25
        side = len(pixels) // 28
        cut = pixels.reshape(side, 2, 14, side, 2, 14, 3).transpose(0, 3, 1, 4, 6, 2, 5)
        patches = cut.reshape(4 * side * side, 3, 1, 196).repeat(2, axis=2)
        return {
            "ids": self.held[f"ids{at}"], "supervised": self.held[f"supervised{at}"],
            "patches": patches.reshape(len(patches), -1),
        }  # fmt: skip


class ByIndex(torch.utils.data.Dataset):
    """Any example at once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return self.reader.count

    def __getitem__(self, at: int) -> dict:
        return self.reader.read(at)


class Stream(torch.utils.data.IterableDataset):
    """One example after the other."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __iter__(self):  # noqa: ANN204
        yield from map(self.reader.read, range(self.reader.count))


def collate(rows: list[dict], grid: np.ndarray, image: int) -> dict:
    """Padded on the right."""
    longest = max(len(row["ids"]) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for at, row in enumerate(rows):
        own, length = torch.from_numpy(row["ids"]), len(row["ids"])
        ids[at, :length], mask[at, :length] = own, 1
        labels[at, :length] = own.masked_fill(~torch.from_numpy(row["supervised"]), -100)
    grids = torch.tensor([[1, *map(int, grid[0])]] * len(rows))
    return {
        "input_ids": ids, "attention_mask": mask, "labels": labels, "image_grid_thw": grids,
        "mm_token_type_ids": (ids == image).int(),
        "pixel_values": torch.from_numpy(np.concatenate([row["patches"] for row in rows])),
    }  # fmt: skip


class Watch(TrainerCallback):
    """Stops with a checkpoint, or after the first step."""

    def __init__(self, until: int) -> None:
        self.until = until

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ANN001, ANN003, ANN201
        """Called by the trainer."""
        if not self.until:
            seconds = time.time() - float(os.environ["STARTED"])
            print(json.dumps({"step": state.global_step - 1, "seconds": seconds}), flush=True)
            os._exit(0)
        if state.global_step == self.until:
            control.should_save = control.should_training_stop = True
        return control


def main() -> None:
    """Train, or go on."""
    how, folder, until = sys.argv[1], Path(sys.argv[2]), int(sys.argv[4])
    reader = Reader(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder / "model", dtype=torch.float32
    )
    options = TrainingArguments(
        output_dir=str(folder / f"{how}-{sys.argv[3]}"), per_device_train_batch_size=BATCH,
        max_steps=reader.count // BATCH, learning_rate=1e-4, report_to=[], use_cpu=True,
        save_strategy="no", logging_strategy="no", disable_tqdm=True, bf16=False,
        remove_unused_columns=False, dataloader_num_workers=0,
        accelerator_config={"dispatch_batches": False},
    )  # fmt: skip
    grid, image = reader.held["grid"], int(reader.held["image"])
    trainer = Trainer(
        model, options, train_dataset=(Stream if how == "stream" else ByIndex)(reader),
        data_collator=lambda rows: collate(rows, grid, image), callbacks=[Watch(until)],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=not until)


if __name__ == "__main__":
    main()
