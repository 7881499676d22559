"""Engine and trainer agree; an update's gradient does not depend on how it is packed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.unit import stock_qwen

from pellucid.base.errors import UserError
from pellucid.infer.engine import Engine
from pellucid.model.checkpoint import Loaded, load
from pellucid.model.processor import Processor
from pellucid.rl.policy import Policy
from pellucid.rl.prompts import Prompts, survey
from pellucid.rl.rollout import Sample, read_samples, roll_out
from pellucid.rl.update import Place, update
from pellucid.store import read_mix
from pellucid.train.optim import Optimizers, freeze, parameters

from .conftest import World, make_options

FIRST = Place(step=0, batch=0, first=True, total=4)
SECOND = Place(step=1, batch=0, first=False, total=4)


@pytest.fixture
def loaded(world: World) -> Loaded:
    return load(world.model)


def rolled(world: World, loaded: Loaded, path: Path, context: int = 96, **changes) -> list[Sample]:
    options = make_options(prompts_per_batch=6, group_size=4, **changes)
    rows = read_mix(world.mix).rows
    found = survey("toy", options, rows, world.stores, loaded.renderer, context)
    prompts = Prompts(found.entries, options.prompts_per_batch, 7)
    engine = Engine(loaded.model, Processor(loaded.renderer), 6, context - 16, "tiny")
    roll_out(options, prompts.batch(0), world.stores, engine, 11, path)
    return read_samples(path)


def policy(world: World, loaded: Loaded, temperature: float = 1.0, pack: int = 120) -> Policy:
    return Policy(loaded, world.stores, temperature, pack, "cpu", "float32")


def optimizers(loaded: Loaded, **rates: float) -> Optimizers:
    options = make_options(modules=rates or {"projector": 1e-3, "decoder": 1e-3})
    modules = loaded.model.modules_by_name()
    freeze(modules, options.modules)
    trained = parameters(modules, options.modules, options.optimizer.kind)
    return Optimizers(trained, options.modules, options.optimizer, "float32")


def test_rounded_rows_of_bfloat16_change_nothing_but_the_precision(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl")
    exact = policy(world, loaded)
    rough = Policy(loaded, world.stores, 1.0, 120, "cpu", "bfloat16")
    rows = list[int]()
    layer = loaded.model.decoder.model.layers[0].mlp
    hook = layer.register_forward_pre_hook(lambda module, given: rows.append(given[0].shape[-2]))
    for row in exact.packs(samples):
        with torch.no_grad():
            right, found = exact.logprobs(row), rough.logprobs(row)
        assert rows[-2] <= rows[-1] == -(-rows[-2] // 128) * 128
        assert len(found) == sum(len(one.ids) for one in row)
        assert (found - right).abs().max() < 0.1
    hook.remove()


@pytest.mark.parametrize("images", ["causal", "bidirectional"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_trainer_and_engine_agree_on_every_token(
    world: World, loaded: Loaded, tmp_path: Path, temperature: float, images: str
) -> None:
    loaded.model.config.image_attention = images
    samples = rolled(world, loaded, tmp_path / "a.jsonl", temperature=temperature)
    with_pictures = {world.records[1].id, world.records[4].id}
    assert with_pictures & {sample.record for sample in samples}
    told = policy(world, loaded, temperature)
    rows = told.packs(samples)
    assert 1 < len(rows) < len(samples)
    assert sorted(s.request for row in rows for s in row) == sorted(s.request for s in samples)
    for row in rows:
        old = torch.tensor([value for sample in row for value in sample.drawn_logprobs])
        torch.testing.assert_close(told.logprobs(row).detach(), old, rtol=0, atol=1e-5)
    # Negative control: at another temperature they are far apart.
    other = policy(world, loaded, temperature + 0.5).logprobs(rows[0]).detach()
    old = torch.tensor([value for sample in rows[0] for value in sample.drawn_logprobs])
    assert (other - old).abs().max() > 1e-2


def test_they_agree_where_images_have_three_positions(world: World, tmp_path: Path) -> None:
    """Qwen2.5-VL: what an image's tokens count for depends on its shape."""
    stock_qwen.write(tmp_path / "qwen")
    loaded = load(tmp_path / "qwen")
    samples = rolled(world, loaded, tmp_path / "a.jsonl", context=200)
    assert {world.records[1].id, world.records[4].id} & {sample.record for sample in samples}
    told = policy(world, loaded, pack=260)
    rows = told.packs(samples)
    assert any(len(row) > 1 for row in rows)
    for row in rows:
        old = torch.tensor([value for sample in row for value in sample.drawn_logprobs])
        torch.testing.assert_close(told.logprobs(row).detach(), old, rtol=0, atol=1e-5)


def test_rollouts_are_written_with_their_scores_and_come_back_to_the_bit(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl")
    assert rolled(world, loaded, tmp_path / "b.jsonl") == samples
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert len({sample.request for sample in samples}) == 24
    by_record: dict[str, set[tuple[int, ...]]] = {}
    for sample in samples:
        scores = sample.scores
        assert scores["accuracy"]["scorer"] == "number"
        expected = 0.9 * scores["accuracy"]["value"] + 0.1 * scores["format"]["value"]
        assert sample.paid == pytest.approx(expected)
        assert len(sample.ids) == len(sample.drawn_logprobs)
        right = sample.outcome == "answered" and (sample.answer or "").rstrip(".") == "7"
        assert scores["accuracy"]["value"] == float(right)
        by_record.setdefault(sample.record, set()).add(sample.ids)
    assert all(len(answers) > 1 for answers in by_record.values())
    for prompt in {sample.prompt for sample in samples}:
        group = [sample for sample in samples if sample.prompt == prompt]
        assert len({sample.prompt_hash for sample in group}) == 1
        assert sum(sample.advantage for sample in group) == pytest.approx(0, abs=1e-6)
        assert group[0].signal == (len({sample.paid for sample in group}) > 1)


def test_a_line_separator_in_what_a_model_says_is_no_new_line(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    samples = rolled(world, loaded, path)
    first, rest = path.read_text("utf-8").split("\n", 1)
    fields = {**json.loads(first), "text": "a\u2028b\x85c"}
    path.write_text(json.dumps(fields, ensure_ascii=False) + "\n" + rest, "utf-8")
    found = read_samples(path)
    assert found[0].text == "a\u2028b\x85c" and found[1:] == samples[1:]


def test_an_update_is_the_same_however_it_is_packed(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl", rewards={"accuracy": 0.5, "length": 0.5})
    gradients = []
    for pack in (60, 500):
        steps = optimizers(loaded)
        told = policy(world, loaded, pack=pack)
        options = make_options(clip_norm=1e9, schedule={"kind": "constant", "warmup_steps": 1})
        before = [parameter.detach().clone() for parameter in loaded.model.parameters()]
        line = update(FIRST, samples, options, told, steps, "float32")
        gradients.append(
            {n: p.grad.clone() for n, p in loaded.model.named_parameters() if p.grad is not None}
        )
        with torch.no_grad():
            for parameter, value in zip(loaded.model.parameters(), before, strict=True):
                parameter.copy_(value)
        assert line["logprob_gap"] < 1e-5 and line["clipped"] == 0
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 5
    for name, gradient in gradients[0].items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(
            gradients[1][name], gradient, rtol=1e-4, atol=1e-5 * scale + 1e-9
        )


def test_rollouts_that_do_not_count_change_nothing(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl", rewards={"accuracy": 0.5, "length": 0.5})
    blank = [replace(s, paid=None, reward=None, advantage=None) for s in samples[:2]]
    lines, gradients = [], []
    for chosen in (samples[2:], [*blank, *samples[2:]]):
        fresh = load(world.model)
        steps, told = optimizers(fresh, projector=1e-3), policy(world, fresh)
        lines.append(update(FIRST, chosen, make_options(), told, steps, "float32"))
        gradients.append(next(fresh.model.projector.parameters()).grad)
    assert torch.equal(*gradients)
    assert lines[0]["loss"] == lines[1]["loss"]
    assert (lines[0]["not_counted"], lines[1]["not_counted"]) == (0, 2)


@pytest.mark.parametrize("advantage", [None, 0.0])
def test_without_signal_no_weight_moves(
    world: World, loaded: Loaded, tmp_path: Path, advantage: float | None
) -> None:
    samples = [
        replace(sample, advantage=advantage, signal=False)
        for sample in rolled(world, loaded, tmp_path / "a.jsonl")
    ]
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    steps = optimizers(loaded)
    line = update(FIRST, samples, make_options(), policy(world, loaded), steps, "float32")
    assert line["grad_norm"] == 0 and line["zero_variance_groups"] == line["groups"] == 6
    after = loaded.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_second_update_moves_away_and_says_how_far(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl", rewards={"accuracy": 0.5, "length": 0.5})
    steps, told, options = optimizers(loaded), policy(world, loaded), make_options()
    first = update(FIRST, samples, options, told, steps, "float32")
    second = update(SECOND, samples, options, told, steps, "float32")
    assert first["kl"] < 1e-10 < second["kl"]
    assert first["ratio"]["min"] == pytest.approx(1, abs=1e-4)
    assert second["ratio"]["min"] < 1 < second["ratio"]["max"]
    assert first["clipped"] == 0 < second["clipped"]
    assert "logprob_gap" not in second
    json.dumps(second, allow_nan=False)


def test_an_engine_that_computes_another_model_is_found_out(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl")
    with torch.no_grad():
        loaded.model.decoder.model.layers[0].mlp.down_proj.weight.mul_(3.0)
    steps = optimizers(loaded)
    with pytest.raises(AssertionError, match="engine and trainer differ"):
        update(FIRST, samples, make_options(), policy(world, loaded), steps, "float32")


def test_numbers_that_are_not_finite_stop_the_update(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl", rewards={"accuracy": 0.5, "length": 0.5})
    with torch.no_grad():
        next(loaded.model.decoder.parameters()).fill_(float("nan"))
    before = loaded.model.decoder.lm_head.weight.clone()
    with pytest.raises(UserError, match=r"rl\.loss=nan is not finite at update 1 of 4"):
        update(
            SECOND, samples, make_options(), policy(world, loaded), optimizers(loaded), "float32"
        )
    assert torch.equal(before, loaded.model.decoder.lm_head.weight)


def test_answers_of_a_row_do_not_see_each_other(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    samples = rolled(world, loaded, tmp_path / "a.jsonl")
    told = policy(world, loaded, pack=1000)
    row = next(row for row in told.packs(samples) if row[0].record == world.records[1].id)
    assert len(row) >= 4 and len({one.prompt for one in row}) == 1
    together = told.logprobs(row).detach().split([len(one.ids) for one in row])
    for one, found in zip(row, together, strict=True):
        torch.testing.assert_close(told.logprobs([one]).detach(), found, rtol=0, atol=1e-5)


def test_auto_draws_the_mode_token_and_learns_it(
    world: World, loaded: Loaded, tmp_path: Path
) -> None:
    modes = loaded.renderer.think_id, loaded.renderer.nothink_id
    with torch.no_grad():
        loaded.model.decoder.lm_head.weight[list(modes), 0] = 2.0
    samples = rolled(world, loaded, tmp_path / "a.jsonl", mode="auto", max_new_tokens=4)
    assert {sample.mode for sample in samples} == {"auto"}
    assert {sample.ids[0] for sample in samples} == set(modes)
    assert {sample.chosen for sample in samples} == {"think", "nothink"}
    # Reward one choice over the other, whatever was said after it.
    paid = [
        replace(one, advantage=1.0 if one.chosen == "nothink" else -1.0, signal=True)
        for one in samples
    ]
    told, steps = policy(world, loaded), optimizers(loaded, decoder=1e-2)

    def chance() -> float:
        firsts = [told.logprobs([one])[0].detach() for one in paid if one.chosen == "nothink"]
        return float(torch.stack(firsts).mean().exp())

    before = chance()
    update(FIRST, paid, make_options(max_new_tokens=4), told, steps, "float32")
    assert chance() > before + 0.01
