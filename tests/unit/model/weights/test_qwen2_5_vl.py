"""Qwen2.5-VL as published: read, packed, answered and written back as transformers' own has it."""

import io
import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from tests.unit import stock_qwen
from tests.unit.stock_qwen import TEMPLATE, TINY
from transformers import AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
    smart_resize,
)

from pellucid.base.errors import UserError
from pellucid.infer.engine import Engine
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.model.weights import qwen2_5_vl
from pellucid.prompt.plan import plan
from pellucid.recipe.model import Qwen2VlImages
from pellucid.schema.record import Part, Turn, assistant, user
from pellucid.schema.rollout import Request
from pellucid.train.batch import collate
from pellucid.train.objective import Objective

from .conftest import picture

QUICK = settings(deadline=None, max_examples=60, derandomize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("qwen") / "Qwen2.5-VL"


@pytest.fixture(scope="module")
def stock(folder):
    return stock_qwen.write(folder)


@pytest.fixture(scope="module")
def loaded(stock, folder):
    return checkpoint.load(folder)


@pytest.fixture(scope="module")
def processor(stock, folder):
    return Qwen2VLImageProcessorPil.from_pretrained(folder)


ROWS = {
    "text alone": [],
    "one picture": [(100, 200)],
    "one thin picture": [(20, 900)],
    "three pictures": [(64, 48), (300, 40), (33, 33)],
}


def pictures_of(name):
    return [picture(*size, seed) for seed, size in enumerate(ROWS[name])]


def question(name, text):
    """Its pictures, then a text."""
    parts = [Part("image", image=at) for at in range(len(ROWS[name]))]
    return Turn("user", (*parts, Part("text", text)))


def example(loaded, name, text="What is the value of the red bar?"):
    """A conversation with a thinking answer, and its pictures."""
    sizes, pictures = ROWS[name], pictures_of(name)
    turns = [question(name, text), assistant("11", reasoning="It ends.")]
    rendered = loaded.renderer._example(turns, sizes, {1}, None)
    return Processor(loaded.renderer).example(rendered, pictures), pictures


def seen(processor, batch, pictures, image_id):
    """What the stock model is told of a row."""
    told = {"input_ids": batch.input_ids}
    if pictures:
        made = processor([Image.open(io.BytesIO(one)) for one in pictures], return_tensors="pt")
        told |= dict(made)
        told["mm_token_type_ids"] = (batch.input_ids == image_id).int()
    return told


def test_the_table_of_weights_is_that_of_the_published_model():
    """The 7B's sizes, on the meta device: 8.29 B parameters under the names of the hub."""
    ids = {name: 151643 + at for at, name in enumerate(stock_qwen.CONTROLS)}
    vision = {**stock_qwen.TINY["vision_config"], "depth": 32, "hidden_size": 1280}
    vision |= {"intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}
    vision |= {"window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31]}
    told = stock_qwen.fields(
        152064, ids, hidden_size=3584, intermediate_size=18944, num_attention_heads=28,
        num_hidden_layers=28, num_key_value_heads=4, max_position_embeddings=128000,
        rope_scaling={"type": "mrope", "mrope_section": [16, 24, 24]}, vision_config=vision,
        tie_word_embeddings=False,
    )  # fmt: skip
    config = qwen2_5_vl.config(told, ids["<|image_pad|>"])
    with torch.device("meta"):
        theirs = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(dict(told)))
        ours = PellucidForConditionalGeneration(config)
    named = {qwen2_5_vl.ours(name, config): one for name, one in theirs.named_parameters()}
    assert {name: one.shape for name, one in named.items()} == {
        name: one.shape for name, one in ours.named_parameters()
    }
    whole = sum(one.numel() for one in ours.parameters())
    assert round(whole / 1e9, 2) == 8.29
    assert config.text_config.rope_parameters["mrope_section"] == [16, 24, 24]


@pytest.mark.parametrize("tied", [False, True])
def test_it_is_read_and_written_back_bit_by_bit(tied, tmp_path):
    stock_qwen.write(tmp_path / "in", tie_word_embeddings=tied)
    loaded = checkpoint.load(tmp_path / "in")
    checkpoint.save(loaded.model, loaded.renderer, tmp_path / "own")
    again = checkpoint.load(tmp_path / "own")  # our own layout keeps it
    assert again.renderer.hash == loaded.renderer.hash
    checkpoint.save_like(again, tmp_path / "in", tmp_path / "out")
    for path in (tmp_path / "in").iterdir():
        out = tmp_path / "out" / path.name
        if path.suffix == ".safetensors":
            before, after = load_file(path), load_file(out)
            assert before.keys() == after.keys()
            for name, tensor in before.items():
                assert tensor.dtype == after[name].dtype == torch.bfloat16
                assert torch.equal(tensor.view(torch.int16), after[name].view(torch.int16)), name
        elif path.name in ("config.json", "preprocessor_config.json", "generation_config.json"):
            assert out.read_bytes() == path.read_bytes()
    assert checkpoint.load(tmp_path / "out").renderer.hash == loaded.renderer.hash


@pytest.mark.parametrize("name", ROWS)
def test_logits_and_gradients_are_those_of_the_stock_model(
    name, stock, loaded, processor, folder, close
):
    loaded = checkpoint.load(folder)
    made, pictures = example(loaded, name)
    batch = collate([made], "cpu")
    expected = stock(**seen(processor, batch, pictures, loaded.renderer.image_id)).logits
    logits = loaded.model(batch.input_ids, batch.patches, batch.grids).logits
    assert (logits - expected).abs().max() <= 1e-5
    stock.zero_grad()
    for one in (logits, expected):
        F.cross_entropy(one[0, :-1], batch.input_ids[0, 1:]).backward()
    grads = {
        qwen2_5_vl.ours(key, loaded.model.config): one.grad
        for key, one in stock.named_parameters()
        if one.grad is not None
    }
    ours = {key: one.grad for key, one in loaded.model.named_parameters() if one.grad is not None}
    close(_compared(ours), _compared(grads))


def _compared(grads):
    """Of a fused bias the keys' part has no gradient but for rounding, so it is left out."""
    kept = {}
    for name, one in grads.items():
        parts = {"": one}
        if name.endswith("qkv.bias"):
            query, _, value = one.chunk(3)
            parts = {".query": query, ".value": value}
        kept |= {name + part: tensor for part, tensor in parts.items()}
    return kept


def losses(model, examples):
    batch = collate(examples, "cpu")
    return Objective(model, "float32")(batch)


def test_packed_equals_unpacked(folder, stock, close):
    """Loss and gradients; and one position that leaks is seen."""
    loaded = checkpoint.load(folder)
    examples = [example(loaded, name, f"{name}?")[0] for name in ROWS]
    apart = torch.cat([losses(loaded.model, [one]) for one in examples])
    apart.sum().backward()
    wanted = {key: one.grad.clone() for key, one in loaded.model.named_parameters()}
    loaded.model.zero_grad()
    together = losses(loaded.model, examples)
    together.sum().backward()
    assert (together - apart).abs().max() <= 1e-5
    ours = {key: one.grad for key, one in loaded.model.named_parameters()}
    close(_compared(ours), _compared(wanted))

    batch = collate(examples, "cpu")
    places = loaded.model.positions(batch.input_ids, batch.grids, batch.segments)
    embedded = loaded.model.embed(batch.input_ids, batch.patches, batch.grids)
    shifted = batch.segments[0] + 1, batch.segments[1] - 1, *batch.segments[2:]
    right, leaking = (
        loaded.model.hidden(embedded, segments=segments, position_ids=places)
        for segments in (batch.segments, shifted)
    )
    assert (right - leaking).abs().max() > 1e-3
    asked = {"segments": batch.segments, "position_ids": places, "rows": batch.sources}
    assert (loaded.model.hidden(embedded, **asked) - right[:, batch.sources]).abs().max() <= 1e-5


@QUICK
@given(data=st.data())
def test_positions_are_those_of_the_stock_model(stock, loaded, data):
    """Rows of text and pictures in any order, packed; the stock model is asked row by row."""
    image, wanted, rows, grids = loaded.renderer.image_id, [], [], []
    for _ in range(data.draw(st.integers(1, 3))):
        ids = [5] * data.draw(st.integers(1, 4))
        own = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=3))
        for down, across in own:
            ids += [image] * (down * across) + [5] * data.draw(st.integers(1, 3))
        row = torch.tensor([ids])
        thw = torch.tensor([(1, 2 * down, 2 * across) for down, across in own]).reshape(-1, 3)
        places, _ = stock.model.get_rope_index(
            row, (row == image).int(), image_grid_thw=thw if own else None
        )
        wanted.append(places)
        rows.append(row)
        grids += [(2 * down, 2 * across) for down, across in own]
    got = loaded.model.positions(
        torch.cat(rows, 1),
        torch.tensor(grids, dtype=torch.int64).reshape(-1, 2),
        [row.shape[1] for row in rows],
    )
    assert torch.equal(got, torch.cat(wanted, 2))


def test_positions_must_be_told(loaded):
    with pytest.raises(ValueError, match="where its tokens stand"):
        loaded.model.hidden(torch.randn(1, 5, 64), segments=[5])
    padded = torch.tensor([[0, 1, 1]])
    with pytest.raises(ValueError, match="are not padded"):
        loaded.model(torch.tensor([[1, 2, 3]]), attention_mask=padded)


def test_rows_of_a_batch_stand_by_themselves(loaded):
    ids = torch.randint(0, 200, (3, 7), generator=torch.Generator().manual_seed(1))
    together = loaded.model(ids).logits
    apart = torch.cat([loaded.model(row[None]).logits for row in ids])
    assert (together - apart).abs().max() <= 1e-5


@QUICK
@given(width=st.integers(1, 3000), height=st.integers(1, 3000), most=st.integers(4, 500))
def test_plans_are_those_of_the_stock_rule(width, height, most):
    options = Qwen2VlImages(min_pixels=56 * 56, max_pixels=28 * 28 * most)
    planned = plan(options, 14, width, height)
    assert planned.tokens <= most and planned.tokens == planned.width * planned.height // 28**2
    if max(width, height) > 200 * min(width, height):
        return  # the stock rule refuses
    down, across = smart_resize(height, width, 28, options.min_pixels, options.max_pixels)
    if down * across <= options.max_pixels:  # else the stock rule leaves its budget
        assert (planned.height, planned.width) == (down, across)


@pytest.mark.parametrize("size", [(56, 84), (100, 100), (640, 480), (1, 30), (28, 900)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_patches_are_those_of_the_stock_processor(size, mode, loaded, processor):
    colour = {"RGB": (250, 3, 120), "RGBA": (250, 3, 120, 255), "L": 77}[mode]
    made = Image.effect_noise(size, 90).convert(mode)
    made.paste(colour, (0, 0, 1 + size[0] // 3, 1 + size[1] // 3))
    file = io.BytesIO()
    made.save(file, "PNG")
    turn = Turn("user", (Part("image", image=0),))
    rendered = loaded.renderer.prompt([turn], [size])
    ours = Processor(loaded.renderer).example(rendered, [file.getvalue()])
    theirs = processor([Image.open(io.BytesIO(file.getvalue()))], return_tensors="np")
    frames = theirs["pixel_values"].reshape(len(ours.patches), 3, 2, -1)
    assert (frames[:, :, 0] == frames[:, :, 1]).all()
    assert abs(frames[:, :, 0].reshape(ours.patches.shape) - ours.patches).max() <= 1e-6
    assert theirs["image_grid_thw"][:, 1:].tolist() == ours.grids.tolist()


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).filter(
    lambda text: "<|" not in text and "think>" not in text
)


@QUICK
@given(texts=st.lists(TEXT, min_size=1, max_size=3), own=st.booleans(), pictured=st.booleans())
def test_ids_are_those_of_the_published_template(stock, folder, loaded, texts, own, pictured):
    """A question, with and without picture and system message; text that needs composing too."""
    theirs = AutoTokenizer.from_pretrained(folder)
    parts = [Part("text", text) for text in texts]
    told = [{"type": "text", "text": text} for text in texts]
    if pictured:
        parts.insert(1, Part("image", image=0))
        told.insert(1, {"type": "image"})
    turns, messages = [Turn("user", tuple(parts))], [{"role": "user", "content": told}]
    if own:
        turns.insert(0, Turn("system", (Part("text", "Be brief."),)))
        messages.insert(0, {"role": "system", "content": "Be brief."})
    wanted = theirs.apply_chat_template(
        messages, add_generation_prompt=True, chat_template=stock_qwen.TEMPLATE, return_dict=True
    )["input_ids"]
    ours = loaded.renderer.prompt(turns, [(56, 56)])
    once = [
        id_
        for at, id_ in enumerate(ours.ids)
        if id_ != loaded.renderer.image_id or ours.ids[at - 1] != id_
    ]
    assert once == wanted


def test_mode_tokens_stand_where_the_tokenizer_ends(loaded, stock):
    before = stock_qwen.tokenizer().get_vocab_size()
    assert loaded.renderer.mode_ids == (before, before + 1, before + 2)
    ids = loaded.renderer.prompt([user("Write <think>, please.")], []).ids
    assert loaded.renderer.think_id not in ids, "in a message it stays text"
    rows = stock.get_input_embeddings().weight[list(loaded.renderer.mode_ids)]
    ours = loaded.model.get_input_embeddings().weight[list(loaded.renderer.mode_ids)]
    assert torch.equal(rows, ours)


def test_the_engine_answers_as_generate_does(stock, loaded, processor):
    """Greedy, with pictures and thinking forced, in slots beside each other."""
    engine = Engine(loaded.model, Processor(loaded.renderer), 2, 256, "tiny")
    for name in ROWS:
        sizes, pictures = ROWS[name], pictures_of(name)
        asked = question(name, "Which?")
        rendered = loaded.renderer.prompt([asked], sizes, "think")
        batch = collate([Processor(loaded.renderer).example(rendered, pictures)], "cpu")
        told = seen(processor, batch, pictures, loaded.renderer.image_id)
        requests = [
            Request(
                id=str(at), messages=(asked,), images=tuple(pictures), mode="think", seed=1,
                max_new_tokens=12, temperature=0.0, group="g",
            )
            for at in range(2)
        ]  # fmt: skip
        first, second = engine.generate(requests)
        assert first.token_ids == second.token_ids and not first.error
        assert first.logprobs == pytest.approx(second.logprobs, abs=1e-5), "kept and restored"
        never = [[one] for one in engine._slots._banned.tolist()]
        wanted = stock.generate(
            **told, max_new_tokens=12, do_sample=False, bad_words_ids=never,
            eos_token_id=loaded.renderer.end_id, pad_token_id=0,
        )  # fmt: skip
        assert list(first.token_ids) == wanted[0, batch.input_ids.shape[1] :].tolist(), name


def test_what_is_written_loads_in_transformers(loaded, folder, stock, tmp_path):
    """The stock classes read the folder, and its template writes what we render, modes included."""
    checkpoint.save_like(loaded, folder, tmp_path)
    made, _ = example(loaded, "text alone")
    ids = torch.from_numpy(made.ids)[None]
    again = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32)
    assert (again(input_ids=ids).logits - stock(input_ids=ids).logits).abs().max() <= 1e-5
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    said = [{"role": "user", "content": "What is the value of the red bar?"}]
    said.append({"role": "assistant", "content": "11", "reasoning_content": "It ends."})
    assert theirs.apply_chat_template(said, return_dict=True)["input_ids"] == made.ids.tolist()
    forced = theirs.apply_chat_template(
        said[:1], add_generation_prompt=True, mode="nothink", return_dict=True
    )["input_ids"]
    asked = loaded.renderer.prompt([user(said[0]["content"])], [], "nothink")
    assert forced == list(asked.ids)
    assert not (tmp_path / "chat_template.json").exists()


def test_a_tied_head_that_is_stored_is_written_anew(tmp_path):
    stock_qwen.write(tmp_path / "in", tie_word_embeddings=True)
    (index,) = (tmp_path / "in").glob("*.index.json")
    names = json.loads(index.read_text())["weight_map"]
    at = tmp_path / "in" / names["model.embed_tokens.weight"]
    held = load_file(at)
    held["lm_head.weight"] = held["model.embed_tokens.weight"].clone()
    save_file(held, at)
    index.write_text(json.dumps({"weight_map": {**names, "lm_head.weight": at.name}}))
    loaded = checkpoint.load(tmp_path / "in")
    with torch.no_grad():
        loaded.model.get_input_embeddings().weight.add_(1.0)
    checkpoint.save_like(loaded, tmp_path / "in", tmp_path / "out")
    written = load_file(tmp_path / "out" / at.name)
    assert torch.equal(written["lm_head.weight"], written["model.embed_tokens.weight"])
    assert not torch.equal(written["lm_head.weight"], held["lm_head.weight"])


def test_a_fresh_projector_lets_pictures_through(loaded, folder):
    from pellucid.model.init import init_weights

    model = checkpoint.load(folder).model
    init_weights(model, 3, "projector")
    made, _ = example(loaded, "one picture")
    features = model.features(torch.from_numpy(made.patches), torch.from_numpy(made.grids))
    assert features.std() > 1e-3 and torch.equal(model.projector.ln_q.weight, torch.ones(32))


def test_what_is_not_the_same_image_rule_is_not_written_beside(loaded, folder, tmp_path):
    copied = tmp_path / "other"
    shutil.copytree(folder, copied)
    fields = json.loads((copied / PREPROCESSOR).read_text())
    (copied / PREPROCESSOR).write_text(json.dumps({**fields, "image_mean": [0.1, 0.1, 0.1]}))
    with pytest.raises(UserError, match="has another image rule"):
        checkpoint.save_like(loaded, copied, tmp_path / "out")
    led = checkpoint.Loaded(loaded.model, loaded.renderer.led(" "))
    with pytest.raises(UserError, match=r"as model\.lead says .* export without --like"):
        checkpoint.save_like(led, folder, tmp_path / "out")


@pytest.mark.parametrize("own", ["thin", "lying"])
def test_thin_pictures_keep_their_side_and_use_the_budget(own):
    options = Qwen2VlImages(min_pixels=56 * 56, max_pixels=28 * 28 * 40)
    size = (28, 9000) if own == "thin" else (9000, 28)
    planned = plan(options, 14, *size)
    long, short = (28 * 40, 28)
    assert (planned.width, planned.height) == ((short, long) if own == "thin" else (long, short))
    assert options.limited(2, 14) == Qwen2VlImages(min_pixels=1568, max_pixels=1568)


def test_generate_answers_as_the_engine_does(loaded, folder, tmp_path):
    """Our own layout through transformers' generate: positions are those of the engine."""
    checkpoint.save(loaded.model, loaded.renderer, tmp_path)
    from transformers import AutoModelForImageTextToText

    import pellucid.hf  # noqa: F401

    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32)
    engine = Engine(loaded.model, Processor(loaded.renderer), 1, 256, "tiny")
    for name in ROWS:
        sizes, pictures = ROWS[name], pictures_of(name)
        asked = question(name, "Which?")
        made = Processor(loaded.renderer).example(
            loaded.renderer.prompt([asked], sizes, "think"), pictures
        )
        batch = collate([made], "cpu")
        seen = {"pixel_values": batch.patches, "image_grids": batch.grids} if sizes else {}
        (found,) = engine.generate(
            [Request(id="0", messages=(asked,), images=tuple(pictures), mode="think", seed=1,
                     max_new_tokens=9, temperature=0.0, group="")]
        )  # fmt: skip
        never = [[one] for one in engine._slots._banned.tolist()]
        for cached in (True, False):
            said = model.generate(
                batch.input_ids, **seen, attention_mask=torch.ones_like(batch.input_ids),
                max_new_tokens=9, do_sample=False, use_cache=cached, bad_words_ids=never,
                return_dict_in_generate=True, output_logits=True,
            )  # fmt: skip
            ids = said.sequences[0, batch.input_ids.shape[1] :]
            assert ids.tolist() == list(found.token_ids), (name, cached)
            logits = torch.cat(said.logits).index_fill(-1, engine._slots._banned, -torch.inf)
            logprobs = logits.log_softmax(-1).gather(1, ids[:, None])[:, 0]
            assert (logprobs - torch.tensor(found.logprobs)).abs().max() < 1e-4, (name, cached)


def test_a_lowered_budget_is_written_along(loaded, folder, tmp_path):
    few = loaded.renderer.within(9)
    assert plan(few.images, few.patch_px, 2000, 2000).tokens == 9
    checkpoint.save_like(checkpoint.Loaded(loaded.model, few), folder, tmp_path)
    assert checkpoint.load(tmp_path).renderer.hash == few.hash
    theirs = Qwen2VLImageProcessorPil.from_pretrained(tmp_path)
    grid = theirs([Image.new("RGB", (2000, 2000))])["image_grid_thw"][0]
    assert grid.tolist() == [1, 6, 6]
    told = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert "chat_template" not in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_sliding_window": True}, "use_sliding_window is True, not False"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is set"),
        ({"attention_dropout": 0.1}, "attention_dropout is 0.1"),
        ({"image_token_id": 3}, "image_token_id is 3"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_type is 'yarn'"),
        ({"hidden_size": 96}, "out_hidden_size is 64, not 96"),
        ({"hidden_size": "x"}, "is no configuration of qwen2_5_vl"),
        ({"vocab_size": 280}, "has ids up to"),
        ({"num_hidden_layers": 3}, "missing .*decoder.model.layers.2"),
        ({"num_hidden_layers": 10**9}, "has more than 1000 layers"),
        ({"rope_theta": 5e5}, "rope_theta is 500000.0, not 1000000.0"),
        ({"rope_scaling": None}, "twice the sum of mrope_section is 0, not 16"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 4]}}, "is 18, not 16"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [-1, 5, 4]}}, "smallest of mrope"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": "x"}}, "is no configuration of"),
        ({"vision_config": {**TINY["vision_config"], "window_size": 13}}, "window_size in squares"),
        ({"vision_config": {**TINY["vision_config"], "window_size": 0}}, "window_size in squares"),
        ({"vision_config": {**TINY["vision_config"], "num_heads": 3}}, "over heads"),
        ({"vision_config": {**TINY["vision_config"], "patch_size": 7}}, "patches of 14 pixels"),
        ({"vision_config": {**TINY["vision_config"], "temporal_patch_size": 1}}, "temporal_patch"),
        ({"intermediate_size": 80}, "config.json asks for"),
        ({"num_attention_heads": 3}, "is no checkpoint file that can be read|no configuration"),
        (
            {"vision_config": None},
            "is no configuration of qwen2_5_vl|is no checkpoint file|missing",
        ),
    ],
)
def test_what_the_layout_is_not_is_refused(change, message, stock, folder, tmp_path):
    copied = tmp_path / "changed"
    shutil.copytree(folder, copied)
    fields = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(UserError, match=message):
        checkpoint.load(copied)


PREPROCESSOR = "preprocessor_config.json"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (PREPROCESSOR, "{", "is not JSON"),
        (PREPROCESSOR, "{}", "says no image rule of this family: KeyError"),
        (PREPROCESSOR, '{"merge_size": 2, "size": 5}', "says no image rule"),
        (PREPROCESSOR, {"image_std": [0, 0, 0]}, "says no image rule.*greater than 0"),
        (PREPROCESSOR, {"min_pixels": 10**12}, "says no image rule.*less than or equal"),
        (PREPROCESSOR, {"rescale_factor": 1 / 127.5}, "rescale_factor is 0.0078"),
        (PREPROCESSOR, {"do_resize": False}, "do_resize is False, not True"),
        (PREPROCESSOR, {"resample": 2}, "resample is 2, not 3"),
        (PREPROCESSOR, {"patch_size": 28}, "cuts patches of 28 pixels"),
        ("tokenizer.json", {"added_tokens": None}, "added_tokens=.* are no list of control"),
        ("tokenizer.json", {"added_tokens": [{"content": "a"}]}, "are no list of control"),
        (
            "tokenizer.json",
            {"added_tokens": [{"content": "a", "id": 1}, {"content": "b", "id": 1}]},
            "are no list of control",
        ),
        ("tokenizer.json", {"pre_tokenizer": [1]}, "is not a BPE over bytes"),
        ("chat_template.json", {"chat_template": "{{ 1 / 0 }}"}, "is no chat template: ZeroDiv"),
        (
            "chat_template.json",
            {
                "chat_template": TEMPLATE.replace(
                    "message['content'] }}", "message.content.upper() }}"
                )
            },
            "writes .* where",
        ),
        (PREPROCESSOR, None, "says no image rule"),
        ("tokenizer.json", "{", "tokenizer.json"),
        ("chat_template.json", '{"chat_template": "{% for"}', "is no chat template"),
        ("chat_template.json", '{"chat_template": "{{ messages[0].content }}"}', "writes .* where"),
        ("chat_template.jinja", "{{ raise_exception('no') }}", "is no chat template"),
        ("config.json", "[1]", "it holds no fields"),
    ],
)
def test_damaged_files_are_named(name, text, message, stock, folder, tmp_path):
    copied = tmp_path / "damaged"
    shutil.copytree(folder, copied)
    at = copied / name
    if isinstance(text, dict):  # fields put in place of those that are there
        text = json.dumps({**json.loads(at.read_text()), **text})
    at.write_text(text) if text is not None else at.unlink()
    with pytest.raises(UserError, match=message):
        checkpoint.load(copied)


def test_no_template_anywhere_is_told(stock, folder, tmp_path):
    copied = tmp_path / "bare"
    shutil.copytree(folder, copied)
    (copied / "chat_template.json").unlink()
    (copied / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"has none of chat_template\.jinja"):
        checkpoint.load(copied)


def test_a_folder_of_transformers_5_is_read(stock, loaded, folder, tmp_path):
    """Nested text fields, names with `language_model`, one file for both processors."""
    copied = tmp_path / "five"
    shutil.copytree(folder, copied)
    for path in copied.glob("model*"):
        path.unlink()
    stock.save_pretrained(copied)
    held = json.loads((copied / PREPROCESSOR).read_text())
    (copied / PREPROCESSOR).write_text(json.dumps({**held, "max_pixels": 4000}))  # is not believed
    (copied / "processor_config.json").write_text(json.dumps({"image_processor": held}))
    again = checkpoint.load(copied)
    assert again.renderer.hash == loaded.renderer.hash
    for one, other in zip(again.model.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_blank_image_runs_the_tower_and_counts_nothing(folder):
    """What a rank with text alone sends along while others have images."""
    loaded = checkpoint.load(folder)
    text = next(found for name in ROWS if not (found := example(loaded, name, "?")[0]).patches.size)
    batch = collate([text], "cpu")
    losses = Objective(loaded.model, "float32")(batch, True)
    assert torch.equal(losses, Objective(loaded.model, "float32")(batch))
    losses.sum().backward()
    for name, one in loaded.model.vision.named_parameters():
        assert one.grad is not None and not one.grad.any(), name
