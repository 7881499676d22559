"""The RL job: a checkpoint and a mix of prompts in, a checkpoint and the rollouts out.

    checkpoint/                  the model, in Hugging Face layout
    rollouts/batch-00000.jsonl   what it learnt from
    log.jsonl                    one line per update, the same in every run of the recipe
    dropped.jsonl                records of the mix that give no prompt, and why
    parameters.json              what is trained, at which rate
    run.json                     hash of everything that decides the updates
    timing/steps.jsonl           seconds, tokens per second, memory

The rollout batch is the unit of work: its rollouts are written whole, and after its updates comes a
checkpoint. Killed at any instant and called again, the job ends with the same bytes.
"""

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, final

import torch

from pellucid.base.errors import boundary
from pellucid.base.hashing import canonical_json, hash_json
from pellucid.base.paths import remove_tree, write_bytes
from pellucid.base.progress import Progress
from pellucid.base.seeds import derive
from pellucid.infer.engine import Engine
from pellucid.model import checkpoint as models
from pellucid.model.processor import Processor
from pellucid.recipe.rl import RlOptions
from pellucid.rl.policy import Policy
from pellucid.rl.prompts import Prompts, find_prompts
from pellucid.rl.rewards import weights
from pellucid.rl.rollout import FOLDER, path_of, read_samples, roll_out
from pellucid.rl.update import Place, update
from pellucid.store import MixRow, Store, read_mix
from pellucid.train import checkpoint as checkpoints
from pellucid.train import table
from pellucid.train.folder import LOG, TIMES, file_hashes, finished, peak_rss_bytes, publish_model
from pellucid.train.log import JsonLines
from pellucid.train.optim import Optimizers, Parameter, freeze, parameters
from pellucid.train.plan import Cursor
from pellucid.train.precision import deterministic

RUN = "run.json"
MOST_SLOTS = 32
"""Answers generated side by side, unless the caller says otherwise."""


class Trained(NamedTuple):
    """What changes from update to update."""

    parameters: list[Parameter]
    optimizers: Optimizers


def train_rl(
    options: RlOptions,
    mix_folder: Path,
    stores: Store,
    checkpoint: Path,
    folder: Path,
    seed: int,
    device: str,
    dtype: str,
    slots: int | None = None,
) -> None:
    """Train into `folder`, from the start or from where a killed run stood.

    Args:
        options: the recipe's slice.
        mix_folder: a finished mix; its records with gold answers are the prompts.
        stores: hold the mix's records.
        checkpoint: the model to start from.
        folder: the job's own folder.
        seed: of the run; joined with the slice's own seed.
        device: "cpu", "cuda" or "mps".
        dtype: "float32", or "bfloat16" for autocast over float32 weights.
        slots: answers generated side by side; the size of a batch, at most 32, when None. The last
            bits of answers may depend on it.

    Raises:
        UserError: no prompt has a gold answer, nothing is paid for, or an update is not finite.
        DiskError: a file could not be read or written.
    """
    with boundary("reinforcement learning"):
        weights(options.rewards)
        if finished(folder):
            return
        mix = read_mix(mix_folder).rows
        loaded = models.load(checkpoint, device)
        slots = slots or min(MOST_SLOTS, options.prompts_per_batch * options.group_size)
        base = derive(seed, "rl", options.seed)
        prompts = _prompts(folder, options, mix, stores, loaded, base)
        trained = _trained(folder, options, loaded)
        run = _run(options, mix, checkpoint, base, dtype, slots)
        _claim(folder, run)
        start = _resume(folder, run, trained)
        batcher = Batcher(folder, options, prompts, stores, loaded, trained, base, device, dtype)
        with deterministic(device):
            _loop(folder, options, start, batcher, trained, slots)
        publish_model(folder, loaded)


@final
class Batcher:
    """Does one rollout batch: rollouts, then updates."""

    def __init__(
        self,
        folder: Path,
        options: RlOptions,
        prompts: Prompts,
        stores: Store,
        loaded: models.Loaded,
        trained: Trained,
        seed: int,
        device: str,
        dtype: str,
    ) -> None:
        self._folder, self._options, self._prompts = folder, options, prompts
        self._stores, self._loaded, self._trained = stores, loaded, trained
        self._seed, self._device, self._dtype = seed, device, dtype
        self._policy = Policy(
            loaded, stores, options.temperature, options.pack_tokens, device, dtype
        )

    def batch(self, number: int, slots: int, log: JsonLines, times: JsonLines) -> dict[str, Any]:
        """Generate (unless a killed run did), learn, log; return the last line of the log."""
        began = time.perf_counter()
        path = path_of(self._folder, number)
        if not path.exists():
            prompts = self._prompts.batch(number)
            roll_out(self._options, prompts, self._stores, self._engine(slots), self._seed, path)
        samples = read_samples(path)
        generated_s = time.perf_counter() - began
        updates = self._options.updates_per_batch
        groups = self._options.prompts_per_batch
        assert groups % updates == 0, f"{groups} groups cannot be dealt to {updates} updates"
        width = len(samples) // updates
        line: dict[str, Any] = {}
        for index in range(updates):
            start = time.perf_counter()
            share = samples[index * width : (index + 1) * width]
            place = Place(
                number * updates + index, number, index == 0, self._options.batches * updates
            )
            line = update(
                place, share, self._options, self._policy, self._trained.optimizers, self._dtype
            )
            log.write(line)
            times.write(_timing(line, time.perf_counter() - start, generated_s / updates))
        return line

    def _engine(self, slots: int) -> Engine:
        """An engine on the live weights; made per batch, so that its memory is free in between."""
        longest = self._prompts.longest + self._options.max_new_tokens
        model, renderer = self._loaded
        processor = Processor(renderer)
        return Engine(model, processor, slots, longest, "policy", self._device, self._dtype)


def _prompts(
    folder: Path,
    options: RlOptions,
    mix: tuple[MixRow, ...],
    stores: Store,
    loaded: models.Loaded,
    seed: int,
) -> Prompts:
    context = int(loaded.model.config.text_config.max_position_embeddings)
    found = find_prompts(folder, options, mix, stores, loaded.renderer, context, seed)
    print(f"  {len(found)} prompts from {len(mix)} records", file=sys.stderr)
    return found


def _trained(folder: Path, options: RlOptions, loaded: models.Loaded) -> Trained:
    """Freeze what has no rate, and write down what is trained."""
    modules = loaded.model.modules_by_name()
    freeze(modules, options.modules)
    found = parameters(modules, options.modules, options.optimizer.kind)
    assert all(one.tensor.dtype == torch.float32 for one in found), "master weights are float32"
    table.report(folder, table.rows(modules, options.modules, found))
    return Trained(found, Optimizers(found, options.modules, options.optimizer))


def _run(
    options: RlOptions,
    mix: tuple[MixRow, ...],
    checkpoint: Path,
    seed: int,
    dtype: str,
    slots: int,
) -> str:
    """Hash of everything that decides the updates."""
    rows = [[row.id, row.repeat, row.mode] for row in mix]
    files = file_hashes(checkpoint)
    return hash_json([options.model_dump(mode="json"), rows, files, seed, dtype, slots])


def _claim(folder: Path, run: str) -> None:
    """Remove what another run left here: its rollouts would be taken for this one's."""
    told = canonical_json({"run": run})
    path = folder / RUN
    if path.exists() and path.read_bytes() == told:
        return
    path.unlink(missing_ok=True)
    remove_tree(folder / FOLDER)
    checkpoints.remove_all(folder)
    write_bytes(path, told)


def _resume(folder: Path, run: str, trained: Trained) -> checkpoints.State:
    """Where the run stands (`window` counts rollout batches), weights and optimizer put back."""
    saved = checkpoints.newest(folder, run)
    if saved is None:
        return checkpoints.State(run, 0, *Cursor(), log_bytes=0, timing_bytes=0)
    with torch.no_grad():
        for one in trained.parameters:
            one.tensor.copy_(saved.weights[one.name])
    trained.optimizers.load(saved.optimizer)
    print(f"  resumed after rollout batch {saved.state.window}", file=sys.stderr)
    return saved.state


def _loop(
    folder: Path,
    options: RlOptions,
    start: checkpoints.State,
    batcher: Batcher,
    trained: Trained,
    slots: int,
) -> None:
    """The rollout batches that are left, with a checkpoint after each but the last."""
    progress = Progress("rl", options.batches)
    with (
        JsonLines(folder / LOG, start.log_bytes) as log,
        JsonLines(folder / TIMES, start.timing_bytes) as times,
    ):
        for number in range(start.window, options.batches):
            line = batcher.batch(number, slots, log, times)
            done = number + 1
            progress.at(done, f"reward {line['reward']}")
            if done < options.batches:
                steps, cursor = done * options.updates_per_batch, Cursor(window=done)
                state = checkpoints.State(start.run, steps, *cursor, log.sync(), times.sync())
                tensors = {one.name: one.tensor for one in trained.parameters}
                checkpoints.save(folder, state, tensors, trained.optimizers.state())


def _timing(line: dict[str, Any], seconds: float, generated_s: float) -> dict[str, Any]:
    """What differs from run to run."""
    return {
        "step": line["step"],
        "seconds": seconds + generated_s,
        "generate_s": generated_s,
        "update_s": seconds,
        "tokens_per_s": line["tokens"] / (seconds + generated_s),
        "peak_rss_bytes": peak_rss_bytes(),
    }
