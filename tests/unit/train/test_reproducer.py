"""A step that is not finite can be done again from what was written down, and from that alone."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.prompt.render import Renderer
from pellucid.recipe.train import DecoderLora, LoraModules, Modules, Stage
from pellucid.store import MixRow, read_mix, write_mix
from pellucid.train.batch import collate
from pellucid.train.objective import Objective
from pellucid.train.reproduce import reproduce
from pellucid.train.stage import train_stage

HIGH = Modules(vision=1e30, projector=1e30, decoder=1e30)
"""Weights stay finite after the first update, and nothing that is made of them does."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stopped(world, stage: Stage, folder: Path, dtype: str = "float32", **more) -> Path:
    """A stage that stops at a step that is not finite; its reproducer."""
    given = (world.mix, world.stores, world.model, folder, 3, "cpu", dtype)
    with pytest.raises(UserError, match=r"reproducer\.json"):
        train_stage(stage, *given, **more)
    return folder / "reproducer.json"


def by_hand(told: dict, weights: dict[str, torch.Tensor]) -> float:
    """The loss of the step, from the file's own words, without plan, lengths or stepper."""
    loaded = checkpoint.load(Path(told["checkpoint"]))
    named = {
        f"{module}.{name}": one
        for module, part in loaded.model.modules_by_name().items()
        for name, one in part.named_parameters()
    }
    assert weights.keys() <= named.keys()
    for name, tensor in weights.items():
        named[name].data.copy_(tensor)
    modes = {row.id: row.mode for row in read_mix(Path(told["mix"])).rows}
    records, processor = store.open(*map(Path, told["stores"])), Processor(loaded.renderer)
    total, targets = 0.0, 0
    for pack in told["packs"]:
        examples = []
        for one in pack:
            record = records.get(one["record"])
            images = [records.image(image.sha256) for image in record.images]
            shown = loaded.renderer.examples(record, modes[record.id])[one["part"]]
            examples.append(processor.example(shown, images))
        losses = Objective(loaded.model, told["dtype"])(collate(examples, "cpu", None))
        total, targets = total + float(losses.detach().sum()), targets + len(losses)
    return total / targets


def kept(file: Path) -> dict[str, torch.Tensor]:
    """The trained tensors, read as plain safetensors."""
    told = json.loads(file.read_bytes())
    found = {}
    for path in (file.parent / told["weights"]).glob("*.safetensors"):
        found |= load_file(path)
    return {name.removeprefix("weights/"): tensor for name, tensor in found.items()}


def test_following_it_by_hand_meets_the_same_step(world, stage, tmp_path) -> None:
    file = stopped(world, stage(modules=HIGH, clip_norm=1e9), tmp_path)
    told = json.loads(file.read_bytes())
    assert (told["step"], told["epoch"], told["seed"]) == (1, 0, 3)
    assert len(told["records"]) == 6
    assert {one["record"] for pack in told["packs"] for one in pack} == set(told["records"])
    weights = kept(file)
    assert all(tensor.isfinite().all() for tensor in weights.values())
    assert not math.isfinite(by_hand(told, weights))
    assert math.isfinite(by_hand(told, {})), "the step alone, without its weights, is sound"


@pytest.mark.parametrize("how", ["float32", "bfloat16", "adapters", "recomputed"])
def test_it_is_done_again(world, stage, tmp_path, how: str) -> None:
    """Twice alike, whatever is trained; nothing on disk is changed."""
    lora = LoraModules(decoder=DecoderLora(rank=2, alpha=4)) if how == "adapters" else None
    made = stage(modules=HIGH, clip_norm=1e9, **({"lora": lora} if lora else {}))
    dtype = "bfloat16" if how == "bfloat16" else "float32"
    file = stopped(world, made, tmp_path, dtype, recompute=how == "recomputed")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = reproduce(file)
    told = json.loads(file.read_bytes())
    assert {key: repr(value) for key, value in found.log.items()} == told["log"]
    assert not math.isfinite(found.log["loss"])
    names = [one["record"] for pack in told["packs"] for one in pack]
    assert [record for record, _ in found.losses] == names
    assert any(not math.isfinite(loss) for _, loss in found.losses)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_fault_of_one_record_is_seen_in_its_loss_alone(world, stage, tmp_path) -> None:
    """Every weight of a picture's way is not a number: text alone is sound."""
    loaded = checkpoint.load(world.model)
    with torch.no_grad():
        loaded.model.projector[0].weight[0, 0] = float("nan")
    checkpoint.save(loaded.model, loaded.renderer, tmp_path / "broken")
    given = (world.mix, world.stores, tmp_path / "broken", tmp_path / "out", 3, "cpu", "float32")
    with pytest.raises(UserError, match="is not finite at step 0"):
        train_stage(stage(), *given)
    found = reproduce(tmp_path / "out/reproducer.json")
    pictured = {record.id for record in world.records if record.images}
    assert {name for name, loss in found.losses if math.isnan(loss)} <= pictured
    sound = [loss for name, loss in found.losses if name not in pictured]
    assert sound and all(map(math.isfinite, sound))


def test_another_mix_or_missing_weights_are_refused(world, stage, tmp_path) -> None:
    rows = read_mix(world.mix).rows
    write_mix(tmp_path / "mix", rows, [])
    given = (world.stores, world.model, tmp_path / "out", 3, "cpu", "float32")
    made = stage(modules=HIGH, clip_norm=1e9)
    with pytest.raises(UserError, match="is not finite"):
        train_stage(made, tmp_path / "mix", *given)
    file = tmp_path / "out/reproducer.json"
    write_mix(tmp_path / "mix", [MixRow(row.id, 1, row.mode) for row in rows[1:]], [])
    with pytest.raises(UserError, match="another mix or checkpoint"):
        reproduce(file)
    write_mix(tmp_path / "mix", rows, [])
    assert not math.isfinite(reproduce(file).log["loss"])
    told = json.loads(file.read_bytes())
    (tmp_path / "out" / told["weights"]).rename(tmp_path / "gone")
    with pytest.raises(UserError, match="are not there"):
        reproduce(file)


@pytest.fixture
def file(world, stage, tmp_path) -> Path:
    """The reproducer of a stage whose folder has no length index any more, as a copy may have."""
    made = stopped(world, stage(modules=HIGH, clip_norm=1e9), tmp_path / "out")
    (made.parent / "lengths.parquet").unlink()
    return made


def test_nothing_is_written_beside_the_file(file: Path) -> None:
    before = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    assert not math.isfinite(reproduce(file).log["loss"])
    after = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("name", "change"),
    [("record", lambda _: "f" * 32), ("part", lambda at: at + 1), ("example", lambda _: 10**6),
     ("example", lambda at: -at - 1)],
)  # fmt: skip
def test_examples_that_are_not_those_of_the_length_index_are_refused(file, name, change) -> None:
    told = json.loads(file.read_bytes())
    one = told["packs"][0][0]
    was = dict(one)
    one[name] = change(one[name])
    file.write_text(json.dumps(told))
    with pytest.raises(UserError) as raised:
        reproduce(file)
    (problem,) = raised.value.problems
    assert (problem.field, problem.value) == ("reproducer.packs: example", one["example"])
    assert f"was part {one['part']} of record {one['record']}, and is" in problem.rule
    same = f"is part {was['part']} of record {was['record']}"
    assert (same if name != "example" else "is no example") in problem.rule
    assert "put the stores of the run back" in problem.fix


def test_stores_without_a_record_of_the_mix_are_refused(file, world, tmp_path) -> None:
    writer = store.Writer(tmp_path / "fewer")
    writer.shard("a", [next(one for one in world.records if not one.images)])
    writer.finish()
    told = json.loads(file.read_bytes())
    file.write_text(json.dumps({**told, "stores": [str(tmp_path / "fewer")]}))
    with pytest.raises(UserError) as raised:
        reproduce(file)
    (problem,) = raised.value.problems
    assert problem.field == "reproducer.stores" and "lack the record" in problem.rule
    there = {one.id for one in store.open(tmp_path / "fewer").records()}
    lacking = {row.id for row in read_mix(world.mix).rows} - there
    assert problem.rule == f"lack the record {min(lacking)} of the mix"


def test_a_fault_while_lengths_are_made_is_not_told_as_a_missing_record(
    file, world, tmp_path, monkeypatch
) -> None:
    """In a copy of the store that has no length index yet."""
    shutil.copytree(world.data, tmp_path / "copy", ignore=shutil.ignore_patterns("labels"))
    told = json.loads(file.read_bytes())
    file.write_text(json.dumps({**told, "stores": [str(tmp_path / "copy")]}))

    def broken(self, record, mode):
        raise KeyError("thinking")

    monkeypatch.setattr(Renderer, "examples", broken)
    with pytest.raises(KeyError, match="thinking"):
        reproduce(file)


def test_the_lines_of_the_page(file: Path, monkeypatch, capsys) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "stages.md"
    (lines,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(file.parent)
    exec(lines, {})
    said, records = capsys.readouterr().out.splitlines()[-2:]
    assert "'decoder'" in said
    assert any(one in records for one in json.loads(file.read_bytes())["records"])
