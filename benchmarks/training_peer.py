"""The peers of `training.py`, in their own environment: TRL's SFTTrainer and transformers' Trainer.

    PYTHON training_peer.py trainer|trl FOLDER MICRO_BATCH HOW DTYPE

Prints useful tokens a second over timed steps, and what the process grew by. Under `torchrun` the
steps are shared out to its processes, and each prints its own share. Pictures are decoded by PIL
and made into patches by the image processor that lies with the model, in the collator, as one does
who trains from records; HOW may have the words `by length`, `as it comes`, `two workers` (of the
data loader), and `ready-made`: patches lie in memory from the start.
"""

import io
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    Qwen2_5_VLForConditionalGeneration,
    Trainer,
    TrainerCallback,
)

BATCH = 16
WARM, TIMED_S = 2, 25.0
TOGETHER = 10
"""Timed steps of several processes, which have to stop at the same one."""


class Rows(torch.utils.data.Dataset):
    """The examples, as dictionaries."""

    def __init__(self, folder: Path) -> None:
        held = np.load(folder / "examples.npz")
        self.image = int(held["image"])
        self.rows = [
            {
                "input_ids": held[f"ids{at}"],
                "supervised": held[f"supervised{at}"],
                "grids": held[f"grid{at}"],
                "patches": held[f"patches{at}"],
                "picture": held[f"picture{at}"].tobytes(),
            }
            for at in range(sum(name.startswith("ids") for name in held.files))
        ]
        for row in self.rows:
            row["length"] = len(row["input_ids"])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> dict:
        return self.rows[at]


class Collator:
    """Pads to the longest of a micro-batch, on the right."""

    def __init__(self, image: int, model: Path, ready_made: bool) -> None:
        self.image, self.checked = image, False
        self.processor = None if ready_made else AutoImageProcessor.from_pretrained(model)

    def __call__(self, rows: list[dict]) -> dict:
        """What the stock model takes."""
        longest = max(row["length"] for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for at, row in enumerate(rows):
            length = row["length"]
            own = torch.from_numpy(row["input_ids"])
            ids[at, :length], mask[at, :length] = own, 1
            learnt = torch.from_numpy(row["supervised"])
            labels[at, :length] = own.masked_fill(~learnt, -100)
        made = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        made["mm_token_type_ids"] = (ids == self.image).int()
        seen = [row for row in rows if len(row["patches"])]
        if seen:
            made |= self.looked_at(seen) if self.processor else ready(seen)
        return made

    def looked_at(self, rows: list[dict]) -> dict:
        """Pixels by the peers' own processor; once it is made sure that they are ours."""
        pictures = [Image.open(io.BytesIO(row["picture"])).convert("RGB") for row in rows]
        made = dict(self.processor(images=pictures, return_tensors="pt"))
        if not self.checked:
            ours = ready(rows)
            assert torch.equal(made["image_grid_thw"], ours["image_grid_thw"])
            assert torch.allclose(made["pixel_values"], ours["pixel_values"], atol=0.02)
            self.checked = True
        return made


def ready(rows: list[dict]) -> dict:
    """Pixels as they lie in memory; the stock model takes every patch twice, as of a video."""
    patches = torch.from_numpy(np.concatenate([row["patches"] for row in rows]))
    twice = patches.unflatten(1, (3, 1, -1)).expand(-1, -1, 2, -1).flatten(1)
    grids = torch.from_numpy(np.concatenate([row["grids"] for row in rows]))
    whole = torch.cat([torch.ones_like(grids[:, :1]), grids], 1)
    return {"pixel_values": twice.contiguous(), "image_grid_thw": whole}


class Clock(TrainerCallback):
    """Times steps after the first few, and stops when there are enough."""

    def __init__(self, processes: int) -> None:
        self.processes, self.start, self.useful, self.before = processes, 0.0, 0, 0
        self.seconds = self.tokens = 0.0

    def count(self, model, args, kwargs) -> None:  # noqa: ANN001
        """Called before every forward pass."""
        self.useful += int(kwargs["attention_mask"].sum())

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ANN001, ANN003, ANN201
        """Called by the trainer."""
        now = time.perf_counter()
        if state.global_step == WARM:
            self.start, self.before = now, self.useful
        elif state.global_step > WARM:
            self.seconds, self.tokens = now - self.start, self.useful - self.before
            enough = self.seconds > TIMED_S and state.global_step >= WARM + 4
            if state.global_step >= WARM + TOGETHER if self.processes > 1 else enough:
                control.should_training_stop = True
        return control


def main() -> None:
    """Train for a while."""
    who, folder, batch, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    rows = Rows(folder)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder / "model", dtype=torch.float32
    )
    collator = Collator(rows.image, folder / "model", "ready-made" in how)
    clock = Clock(processes)
    model.register_forward_pre_hook(clock.count, with_kwargs=True)
    options = {
        "output_dir": str(folder / "out"), "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": BATCH // batch // processes, "max_steps": 10_000,
        "report_to": [], "ddp_backend": "gloo" if processes > 1 else None,
        "learning_rate": 1e-4, "max_grad_norm": 1.0, "use_cpu": True, "save_strategy": "no",
        "logging_strategy": "no", "disable_tqdm": True, "remove_unused_columns": False,
        "dataloader_num_workers": 2 if "workers" in how else 0, "fp16": False,
        "bf16": sys.argv[5] == "bfloat16",
    }  # fmt: skip
    if "by length" in how:
        options["train_sampling_strategy"] = "group_by_length"
        options["length_column_name"] = "length"
    if who == "trainer":
        from transformers import TrainingArguments

        trainer = Trainer(
            model, TrainingArguments(**options), train_dataset=rows, data_collator=collator,
            callbacks=[clock],
        )  # fmt: skip
    else:
        from datasets import Dataset
        from transformers import AutoTokenizer
        from trl import SFTConfig, SFTTrainer

        names = Dataset.from_dict(
            {"at": list(range(len(rows))), "length": [r["length"] for r in rows.rows]}
        )
        config = SFTConfig(
            **options,
            dataset_kwargs={"skip_prepare_dataset": True},
            gradient_checkpointing="as it comes" in how,
        )
        trainer = SFTTrainer(
            model, config, train_dataset=names, callbacks=[clock],
            data_collator=lambda given: collator([rows[one["at"]] for one in given]),
            processing_class=AutoTokenizer.from_pretrained(folder / "model"),
        )  # fmt: skip
    trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens_per_s": clock.tokens / clock.seconds, "bytes": peak - before}))


if __name__ == "__main__":
    main()
