"""The RL job: a checkpoint and a mix of prompts in, a checkpoint and the rollouts out.

    checkpoint/                  the model, in Hugging Face layout
    rollouts/batch-00000.jsonl   what it learnt from
    log.jsonl                    one line per update, the same in every run of the recipe
    dropped.jsonl                records of the mixes that give no prompt, and why
    pass_rates.parquet           how often the starting policy was right, with `pass_rate`
    probe.parquet                held-out answers before and after, with `probe`
    parameters.json              what is trained, at which rate
    run.json                     hash of everything that decides the updates
    timing/steps.jsonl           seconds, tokens per second, memory

The rollout batch is the unit of work: its rollouts are written whole, and after its updates comes a
checkpoint. Killed at any instant and called again, the job ends with the same bytes.
"""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import torch

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import canonical_json, hash_json
from pellucid.base.paths import remove_tree, write_bytes
from pellucid.base.progress import Progress
from pellucid.base.seeds import derive
from pellucid.model import checkpoint as models
from pellucid.recipe.rl import RlOptions
from pellucid.rl import pass_rate, probe
from pellucid.rl.pass_rate import PASS_RATES
from pellucid.rl.policy import Policy
from pellucid.rl.probe import PROBE
from pellucid.rl.prompts import Entry, Prompts, survey, write_left
from pellucid.rl.rewards import own_terms, weights
from pellucid.rl.rollout import FOLDER, Sample, path_of, read_samples, roll_out
from pellucid.rl.setting import Setting
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
    probe_folder: Path | None = None,
    own_hashes: Mapping[str, str] | None = None,
) -> None:
    """Train into `folder`, from the start or from where a killed run stood.

    Args:
        options: the recipe's slice.
        mix_folder: a finished mix; its records with gold answers are the prompts.
        stores: hold the mix's records, and the probe's.
        checkpoint: the model to start from.
        folder: the job's own folder.
        seed: of the run; joined with the slice's own seed.
        device: "cpu", "cuda" or "mps".
        dtype: "float32", or "bfloat16" for autocast over float32 weights.
        slots: answers generated side by side; the size of a batch, at most 32, when None. The last
            bits of answers may depend on it.
        probe_folder: the probe's finished mix; must be given if the slice has a probe.
        own_hashes: what the user's rewards were when the run was planned; others are refused.

    Raises:
        UserError: no prompt has a gold answer, too few have the pass rate that is asked for,
            nothing is paid for, no rollout of a batch counts, or an update is not finite.
        DiskError: a file could not be read or written.
    """
    with boundary("reinforcement learning"), deterministic(device):
        weights(options.rewards)
        own = own_terms(options.rewards, own_hashes)
        if finished(folder):
            return
        mixes = _mixes(options, mix_folder, probe_folder)
        slots = slots or min(MOST_SLOTS, options.prompts_per_batch * options.group_size)
        base = derive(seed, "rl", options.seed)
        loaded = models.load(checkpoint, device)
        setting = Setting(folder, options, stores, loaded, base, slots, device, dtype, own)
        run = _run(setting, mixes, checkpoint)
        _claim(folder, run)
        # Both look at the starting weights, which `_resume` may replace.
        prompts, probed = _prompts(setting, mixes)
        started = probe.before(setting, probed)
        trained = _trained(setting)
        _loop(setting, Batcher(setting, prompts, trained), trained, _resume(folder, run, trained))
        probe.finish(setting, probed, started)
        publish_model(folder, loaded)


@final
class Batcher:
    """Does one rollout batch: rollouts, then updates."""

    def __init__(self, setting: Setting, prompts: Prompts, trained: Trained) -> None:
        self._setting, self._prompts, self._trained = setting, prompts, trained
        self._options = setting.options
        self._policy = Policy(
            setting.loaded,
            setting.stores,
            self._options.temperature,
            self._options.pack_tokens,
            setting.device,
            setting.dtype,
        )

    def batch(self, number: int, log: JsonLines, times: JsonLines) -> dict[str, Any]:
        """Generate (unless a killed run did), learn, log; return the last line of the log."""
        began = time.perf_counter()
        setting = self._setting
        path = path_of(setting.folder, number)
        if not path.exists():
            prompts = self._prompts.batch(number)
            generator = setting.generator(self._prompts.longest)
            where = (setting.seed, path, setting.own)
            roll_out(self._options, prompts, setting.stores, generator, *where)
        samples = read_samples(path)
        if number == 0:
            _refuse_uncounted(path, samples, weights(self._options.rewards))
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
                place, share, self._options, self._policy, self._trained.optimizers, setting.dtype
            )
            log.write(line)
            times.write(_timing(line, time.perf_counter() - start, generated_s / updates))
        return line


def _refuse_uncounted(path: Path, samples: Sequence[Sample], paid: Mapping[str, float]) -> None:
    """Raise a `UserError` when no rollout of the first batch counts: nothing would be learnt.

    The batch is forgotten, so that a fault that has passed can be tried again. In a later batch the
    same is a line of the log that says so.
    """
    if any(sample.reward is not None for sample in samples):
        return
    path.unlink()
    errors = Counter(sample.error or "no reason given" for sample in samples if sample.failed)
    if errors.total() == len(samples):
        rule = f"gives no answer that could be rewarded: {errors.most_common(1)[0][0]}"
        fix = "mend the checkpoint that RL starts from, or use dtype float32"
        raise UserError(Problem("rl", f"{len(samples)} rollouts", rule, fix))
    silent = sorted(
        name
        for name, weight in paid.items()
        if weight and all(s.scores[name]["value"] is None for s in samples if not s.failed)
    )
    rule = f"can say nothing of any of the first {len(samples)} rollouts, so none counts"
    fix = "pay for something that can be said of these prompts, or choose other prompts (rl.mix)"
    raise UserError(Problem("rl.rewards", silent, rule, fix))


def _mixes(options: RlOptions, mix: Path, probed: Path | None) -> dict[str, Sequence[MixRow]]:
    """The rows of RL's mix, then of the probe's, by name."""
    rows = {options.mix: read_mix(mix).rows}
    if options.probe:
        assert probed is not None, "a probe needs its mix"
        rows[options.probe.mix] = read_mix(probed).rows
    return rows


def _prompts(
    setting: Setting, mixes: Mapping[str, Sequence[MixRow]]
) -> tuple[Prompts, tuple[Entry, ...]]:
    """The prompts to learn from, and those of the probe; what is left out is written down."""
    options, context = setting.options, setting.context_tokens
    surveys = {
        name: survey(
            name, options, rows, setting.stores, setting.loaded.renderer, context,
            "rl.mix" if name == options.mix else "rl.probe.mix",
        )
        for name, rows in mixes.items()
    }  # fmt: skip
    kept, lost = pass_rate.choose(setting, surveys[options.mix].entries)
    left = {name: found.left for name, found in surveys.items()}
    left[options.mix] = (*left[options.mix], *lost)
    write_left(setting.folder, left)
    prompts = Prompts(kept, options.prompts_per_batch, setting.seed)
    print(f"  {len(prompts)} prompts from {len(mixes[options.mix])} records", file=sys.stderr)
    return prompts, surveys[options.probe.mix].entries if options.probe else ()


def _trained(setting: Setting) -> Trained:
    """Freeze what has no rate, and write down what is trained."""
    options, modules = setting.options, setting.loaded.model.modules_by_name()
    freeze(modules, options.modules)
    found = parameters(modules, options.modules, options.optimizer.kind)
    assert all(one.tensor.dtype == torch.float32 for one in found), "master weights are float32"
    table.report(setting.folder, table.rows(table.sizes(modules), options.modules, found))
    return Trained(found, Optimizers(found, options.modules, options.optimizer, setting.dtype))


def _run(setting: Setting, mixes: Mapping[str, Sequence[MixRow]], checkpoint: Path) -> str:
    """Hash of everything that decides the updates and the answers to the probe."""
    rows = [[row.id, row.repeat, row.mode] for mix in mixes.values() for row in mix]
    told = setting.options.model_dump(mode="json")
    files = file_hashes(checkpoint)
    how = [setting.seed, setting.dtype, setting.slots]
    return hash_json([checkpoints.FORMAT, told, rows, files, *how])


def _claim(folder: Path, run: str) -> None:
    """Remove what another run left here: its answers would be taken for this one's."""
    told = canonical_json({"run": run})
    path = folder / RUN
    if path.exists() and path.read_bytes() == told:
        return
    for name in (RUN, PASS_RATES, PROBE):
        (folder / name).unlink(missing_ok=True)
    for name in (FOLDER, pass_rate.CHUNKS, probe.CHUNKS):
        remove_tree(folder / name)
    checkpoints.remove_all(folder)
    write_bytes(path, told)


def _resume(folder: Path, run: str, trained: Trained) -> checkpoints.State:
    """Where the run stands (`window` counts rollout batches), weights and optimizer put back."""
    state = checkpoints.resume(folder, run, trained.parameters, trained.optimizers)
    if state.step:
        print(f"  resumed after rollout batch {state.window}", file=sys.stderr)
    return state


def _loop(setting: Setting, batcher: Batcher, trained: Trained, start: checkpoints.State) -> None:
    """The rollout batches that are left, with a checkpoint after each but the last."""
    options, folder = setting.options, setting.folder
    progress = Progress("rl", options.batches)
    with (
        JsonLines(folder / LOG, start.log_bytes) as log,
        JsonLines(folder / TIMES, start.timing_bytes) as times,
    ):
        for number in range(start.window, options.batches):
            line = batcher.batch(number, log, times)
            done = number + 1
            progress.at(done, _reward(line["reward"]))
            if done < options.batches:
                steps, cursor = done * options.updates_per_batch, Cursor(window=done)
                state = checkpoints.State(start.run, steps, *cursor, log.sync(), times.sync())
                checkpoints.save(folder, state, trained.parameters, trained.optimizers)


def _reward(value: float | None) -> str:
    """The mean reward of an update for the progress line.

    >>> _reward(0.11482), _reward(None)
    ('reward 0.115', 'no rollout counted')
    """
    return "no rollout counted" if value is None else f"reward {value:.3f}"


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
