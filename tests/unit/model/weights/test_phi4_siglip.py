"""Phi-4-reasoning-vision's published layout: table of weights, round trip, and an oracle."""

import io
import json
import shutil

import jinja2
import pytest
import tokenizers
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

import pellucid.hf  # noqa: F401 (registers)
from pellucid.base.errors import UserError
from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.model.weights import phi4_siglip
from pellucid.schema.record import Part, Turn, assistant, user
from pellucid.train.batch import collate

from .conftest import (
    CONTROLS,
    SYSTEM,
    TEMPLATE,
    TINY,
    byte_tokenizer,
    picture,
    published_fields,
    stock_parts,
)

REAL = {
    "hidden_size": 5120,
    "intermediate_size": 17920,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 10,
    "mm_hidden_size": 1152,
    "vision_config": {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "model_type": "siglip2_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
    },
}
IDS = {"<|endoftext|>": 100257, "<|im_end|>": 100265, "<|dummy_85|>": 100349}


@pytest.fixture(scope="module")
def loaded(published):
    return checkpoint.load(published.folder)


def count(module):
    return sum(one.numel() for one in module.parameters())


def test_the_table_of_weights_is_that_of_the_published_model():
    """On the meta device: 15.12 B, of which 14.66 B decoder, 0.41 B tower, 32.1 M projector."""
    fields = published_fields(100352, IDS, **REAL)
    with torch.device("meta"):
        tower, projector, decoder = stock_parts(fields)
        config = phi4_siglip.config(fields, 100256)
        ours = PellucidForConditionalGeneration(config)
    head = count(tower.head)
    assert round(count(decoder) / 1e9, 2) == 14.66
    assert round((count(tower) - head) / 1e9, 2) == 0.41
    assert round(head / 1e6) == 15 and round(count(projector) / 1e6, 1) == 32.1
    whole = count(decoder) + count(tower) - head + count(projector)
    assert 15.10e9 < whole < 15.125e9
    from .conftest import Stock

    published = Stock(None, tower, projector, decoder).weights()
    named = {name: phi4_siglip.ours(name, config) for name in published}
    shapes = {ours: published[name].shape for name, ours in named.items() if ours is not None}
    assert shapes == {name: one.shape for name, one in ours.named_parameters()}
    left = {name.split("vision_model.")[1] for name, ours in named.items() if ours is None}
    assert {name.split(".")[0] for name in left} == {"encoder", "post_layernorm", "head"}
    assert {name.split(".")[2] for name in left if name.startswith("encoder")} == {"26"}
    turned = config.text_config.rope_parameters
    assert (turned["rope_type"], turned["rope_theta"]) == ("default", 500000.0)
    assert config.vision_config.num_patches == 256


def test_a_published_checkpoint_is_read_and_written_back_bit_by_bit(published, loaded, tmp_path):
    checkpoint.save_like(loaded, published.folder, tmp_path)
    for path in published.folder.iterdir():
        if path.suffix != ".safetensors":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()
            continue
        before, after = load_file(path), load_file(tmp_path / path.name)
        assert before.keys() == after.keys()
        for name, tensor in before.items():
            assert tensor.dtype == after[name].dtype == torch.bfloat16
            assert torch.equal(tensor.view(torch.int16), after[name].view(torch.int16)), name


def test_what_was_trained_is_what_is_written(published, tmp_path):
    loaded = checkpoint.load(published.folder)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.add_(1.0)
    checkpoint.save_like(loaded, published.folder, tmp_path)
    again = checkpoint.load(tmp_path).model
    for one, other in zip(again.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(one, other.to(torch.bfloat16).float())
    unrun = "model.vision_tower.vision_tower.vision_model.post_layernorm.weight"
    held = {k: v for f in tmp_path.glob("*.safetensors") for k, v in load_file(f).items()}
    assert torch.equal(held[unrun].float(), published.tower.post_layernorm.weight)


def test_our_own_layout_keeps_it(published, loaded, tmp_path):
    checkpoint.save(loaded.model, loaded.renderer, tmp_path)
    again = checkpoint.load(tmp_path)
    assert again.renderer.hash == loaded.renderer.hash
    for one, other in zip(again.model.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(one, other)


ROWS = {
    "text alone": [],
    "one thin picture": [(100, 2000)],
    "three pictures": [(64, 48), (500, 40), (33, 33)],
}


@pytest.mark.parametrize("name", ROWS)
def test_logits_and_gradients_are_those_of_the_published_parts(
    name, published, stock_features, close
):
    """An oracle of stock classes that hold the published weights, put together by hand."""
    loaded = checkpoint.load(published.folder)
    sizes, renderer = ROWS[name], loaded.renderer
    pictures = [picture(*size, seed) for seed, size in enumerate(sizes)]
    parts = [Part("image", image=at) for at in range(len(sizes))]
    asked = Turn("user", (*parts, Part("text", "What is the value of the red bar?")))
    turns = [asked, assistant("11", reasoning="It ends at 11.")]
    rendered = renderer._example(turns, sizes, {1}, None)
    batch = collate([Processor(renderer).example(rendered, pictures)], "cpu")

    embedded = published.decoder.get_input_embeddings()(batch.input_ids).clone()
    if sizes:
        features = stock_features(published.tower, batch.patches, batch.grids, -2)
        embedded[batch.input_ids == renderer.image_id] = published.projector(features)
    expected = published.decoder(inputs_embeds=embedded).logits
    logits = loaded.model(batch.input_ids, batch.patches, batch.grids).logits
    assert (logits - expected).abs().max() <= 1e-5

    published.tower.zero_grad()
    published.projector.zero_grad()
    published.decoder.zero_grad()
    for made in (logits, expected):
        F.cross_entropy(made[0, :-1], batch.input_ids[0, 1:]).backward()
    grads = {
        f"{part}.{key}": one.grad
        for part, module in (
            ("vision", published.tower),
            ("projector", published.projector),
            ("decoder", published.decoder),
        )
        for key, one in module.named_parameters()
        if one.grad is not None
    }
    close({k: v.grad for k, v in loaded.model.named_parameters() if v.grad is not None}, grads)


def test_the_format_is_that_of_the_published_template(loaded):
    """Ids of our renderer and of the published template's text are the same."""
    tokenizer, renderer = byte_tokenizer(), loaded.renderer
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # as transformers does

    def theirs(messages, opened):
        text = environment.from_string(TEMPLATE).render(
            messages=messages, add_generation_prompt=opened
        )
        return tokenizer.encode(text, add_special_tokens=False).ids

    asked = [{"role": "user", "content": "What is red?"}]
    assert list(renderer.prompt([user("What is red?")], []).ids) == theirs(asked, True)
    for mode, token in (("think", "<think>"), ("nothink", "<|dummy_84|>")):
        forced = [*theirs(asked, True), tokenizer.token_to_id(token)]
        assert list(renderer.prompt([user("What is red?")], [], mode).ids) == forced
    said = {"role": "assistant", "content": "<think>a bar</think>It is."}
    turns = [user("What is red?"), assistant("It is.", reasoning="a bar")]
    rendered = renderer._example(turns, [], {1}, None)
    assert list(rendered.ids) == theirs([*asked, said], False)
    assert renderer.system == SYSTEM
    looked = Turn("user", (Part("image", image=0), Part("text", "What?")))
    ids = list(renderer.prompt([looked], [(16, 16)]).ids)
    image = renderer.image_id
    assert ids.count(image) == 256 and tokenizer.decode(ids[-ids[::-1].index(image) :]).startswith(
        "\nWhat?"
    )


@pytest.fixture
def stripping(published, tmp_path):
    """The same folder; its control tokens take white space along, as Phi-4's do."""
    folder = tmp_path / "stripping"
    shutil.copytree(published.folder, folder)
    tree = json.loads((folder / "tokenizer.json").read_text())
    for token in tree["added_tokens"]:
        token["lstrip"] = token["rstrip"] = token["content"] in CONTROLS
    (folder / "tokenizer.json").write_text(json.dumps(tree))
    return folder


def test_what_control_tokens_strip_is_not_there(stripping, tmp_path):
    """The template's newlines, and blanks in the system text, as the published tokenizer has it."""
    stock = tokenizers.Tokenizer.from_file(str(stripping / "tokenizer.json"))
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    asked = [{"role": "user", "content": "What is red?"}]
    said = {"role": "assistant", "content": "<think>a bar</think>It is."}
    renderer = checkpoint.load(stripping).renderer
    turns = [user("What is red?"), assistant("It is.", reasoning="a bar")]
    for messages, opened, ours in (
        (asked, True, renderer.prompt(turns[:1], [])),
        ([*asked, said], False, renderer._example(turns, [], {1}, None)),
    ):
        text = environment.from_string(TEMPLATE).render(
            messages=messages, add_generation_prompt=opened
        )
        assert list(ours.ids) == stock.encode(text, add_special_tokens=False).ids
    assert renderer.format.after_end == renderer.format.after_assistant_separator == ""
    kept = renderer.prompt([user(" two\n")], []).ids
    assert " two\n" in renderer.tokenizer.decode(kept), "in messages white space stays"
    checkpoint.save(checkpoint.load(stripping).model, renderer, tmp_path / "own")
    assert checkpoint.load(tmp_path / "own").renderer.hash == renderer.hash


def test_a_caller_s_own_system_message_is_heard(loaded):
    own = Turn("system", (Part("text", "Be brief."),))
    text = loaded.renderer.tokenizer.decode(loaded.renderer.prompt([own, user("Why?")], []).ids)
    assert "Be brief." in text and SYSTEM not in text


def test_control_strings_in_messages_stay_text(loaded):
    renderer = loaded.renderer
    ids = renderer.prompt([user("say </think> and <|im_end|>")], []).ids
    assert ids.count(renderer.think_close_id) == 0
    assert ids.count(renderer.end_id) == 2, "that of the system turn and that of the user's"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_s2": True}, "use_s2 is set"),
        ({"rope_scaling": {"type": "longrope"}}, "rope_scaling is set"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "rope_parameters is set"),
        ({"sliding_window": 2}, "sliding_window is set"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is set"),
        ({"resid_pdrop": 0.5}, "resid_pdrop is set"),
        ({"min_num_patches": 9, "max_num_patches": 4}, "min_num_patches exceeds"),
        ({"max_num_patches": float("inf")}, "max_num_patches=inf is no whole number"),
        ({"vision_config": None}, "vision_config.patch_size=None is no whole number"),
        ({"vision_config": {"hidden_size": 32}}, "vision_config lacks intermediate_size"),
        (
            {"vision_config": {**TINY["vision_config"], "model_type": "siglip_vision_model"}},
            "not a siglip2_vision_model",
        ),
        ({"model_type": ["phi4-siglip"]}, "is not a whole checkpoint|model_type is"),
        ({"hidden_size": "x"}, "is no configuration of phi4-siglip"),
        ({"rms_norm_eps": "x"}, "is no configuration of phi4-siglip"),
        ({"num_attention_heads": 0}, "ZeroDivisionError|no configuration"),
        ({"hidden_act": "nope"}, "is no checkpoint file that can be read: KeyError"),
        ({"mm_projector_type": None}, "is no checkpoint file that can be read: TypeError"),
        ({"vocab_size": 10}, "tokenizer.json' has ids up to"),
        ({"num_hidden_layers": 3}, "missing .*decoder.model.layers.2"),
        ({"hidden_size": 64}, "config.json asks for"),
    ],
)
def test_what_the_layout_is_not_is_refused(change, message, published, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(published.folder, folder)
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(UserError, match=message):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("model.safetensors.index.json", "{}", "is no file of weights: KeyError"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../b"}}', "no files beside it"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "b"}}', "lacks b, which its index"),
        ("model-00001-of-00002.safetensors", "no weights", "is no file of weights"),
        ("model.safetensors.index.json", None, "has neither model.safetensors nor"),
        ("model.safetensors.index.json", '{"weight_map": {"a": ".."}}', "no files beside it"),
        ("config.json", "[" * 200_000, "is no checkpoint file that can be read"),
        ("config.json", "\udcff", "is no checkpoint file that can be read"),
        ("tokenizer.json", "{", "tokenizer.json"),
        ("preprocessor_config.json", "[1]", "no configuration of an image processor"),
        (
            "chat_template.jinja",
            "<|im_start|>system<|im_sep|>{{ x }}<|im_end|>",
            "plain system",
        ),
    ],
)
def test_damaged_weights_are_named(name, text, message, published, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(published.folder, folder)
    at = folder / name
    at.write_text(text, errors="surrogateescape") if text is not None else at.unlink()
    with pytest.raises(UserError, match=message):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rope_theta": 10000}, "another decoder"),
        ({"rms_norm_eps": 0.5}, "another decoder"),
        ({"num_attention_heads": 2}, "another decoder"),
    ],
)
def test_weights_are_not_put_beside_another_configuration(
    change, message, published, loaded, tmp_path
):
    folder = tmp_path / "changed"
    shutil.copytree(published.folder, folder)
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(UserError, match=message):
        checkpoint.save_like(loaded, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_lowered_budget_is_written_along(published, loaded, tmp_path):
    few = loaded.renderer.within(100)
    checkpoint.save_like(checkpoint.Loaded(loaded.model, few), published.folder, tmp_path)
    for name in ("config.json", "preprocessor_config.json"):
        fields = json.loads((tmp_path / name).read_text())
        assert (fields["min_num_patches"], fields["max_num_patches"]) == (100, 100), name
    assert checkpoint.load(tmp_path).renderer.hash == few.hash


def rewritten(folder, name, change):
    """A folder of JSON files with fields changed; None takes a field away."""
    fields = {**json.loads((folder / name).read_text()), **change}
    kept = {key: value for key, value in fields.items() if value is not None}
    (folder / name).write_text(json.dumps(kept))


def test_budgets_are_those_of_either_file(published, tmp_path):
    """`config.json` is believed first, as the published code believes it alone."""
    folder = tmp_path / "changed"
    shutil.copytree(published.folder, folder)
    own = {"min_num_patches": 9, "max_num_patches": 40}
    rewritten(folder, "preprocessor_config.json", own)
    assert checkpoint.load(folder).renderer.hash == checkpoint.load(published.folder).renderer.hash
    rewritten(folder, "config.json", dict.fromkeys(own))
    images = checkpoint.load(folder).renderer.images
    assert (images.min_patches, images.max_patches) == (9, 40)
    (folder / "preprocessor_config.json").unlink()
    images = checkpoint.load(folder).renderer.images
    assert (images.min_patches, images.max_patches) == (256, 3600)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_mean": [0.48, 0.46, 0.41]}, "image_mean=.* is another image rule"),
        ({"resample": 3}, "resample='?3'? is another image rule: 2 is run"),
        ({"do_resize": False}, "do_resize=.* is another image rule"),
    ],
)
def test_another_rule_of_pixels_is_refused(change, message, published, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(published.folder, folder)
    rewritten(folder, "preprocessor_config.json", change)
    with pytest.raises(UserError, match=message):
        checkpoint.load(folder)


def test_stale_weights_are_neither_read_nor_copied(published, loaded, tmp_path):
    folder = tmp_path / "stale"
    shutil.copytree(published.folder, folder)
    (folder / "pytorch_model.bin").write_bytes(b"old")
    (folder / "model-00003-of-00002.safetensors").write_bytes(b"old")
    checkpoint.save_like(loaded, folder, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {path.name for path in published.folder.iterdir()}
    one, other = sorted(folder.glob("model-0000[12]*"))
    held = load_file(other)
    name, tensor = next(iter(load_file(one).items()))
    save_file({**held, name: tensor}, other)
    with pytest.raises(UserError, match=f"{name} is in {one.name} too"):
        checkpoint.load(folder)


def test_another_model_is_not_written_into_it(published, loaded, model, renderer, tmp_path):
    own = checkpoint.Loaded(model, renderer)
    with pytest.raises(
        UserError,
        match="has another conversation format and another image rule and another vision tower",
    ):
        checkpoint.save_like(own, published.folder, tmp_path / "other")
    checkpoint.save(model, renderer, tmp_path / "ours")
    with pytest.raises(UserError, match="is in no published layout"):
        checkpoint.save_like(loaded, tmp_path / "ours", tmp_path / "out")


def test_transformers_auto_classes_read_the_published_folder(published, loaded):
    """Logits and tokens are those of our own reader; the folder's own code is not looked at."""
    folder = published.folder
    config = AutoConfig.from_pretrained(folder)
    assert config.text_config.to_dict() != {} and config.feature_layer == -2
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    for (name, one), (other, two) in zip(
        loaded.model.named_parameters(), model.named_parameters(), strict=True
    ):
        assert name == other and torch.equal(one, two)
    processor = AutoProcessor.from_pretrained(folder)
    image = Image.open(io.BytesIO(picture(300, 500, 1)))
    asked = [{"type": "image", "image": image}, {"type": "text", "text": "How many?"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": asked}], tokenize=True, return_dict=True,
        add_generation_prompt=True, return_tensors="pt",
    )  # fmt: skip
    ours = loaded.renderer.prompt([user(0, "How many?")], [(300, 500)])
    assert inputs["input_ids"][0].tolist() == list(ours.ids)
    out = model.generate(**inputs, max_new_tokens=3)
    assert out.shape[1] == len(ours.ids) + 3 or model.generation_config.eos_token_id in out[0]
    halved = AutoModelForImageTextToText.from_pretrained(folder)
    assert halved.dtype == torch.bfloat16, "config.json says so"
    exact = AutoModelForImageTextToText.from_pretrained(
        folder, torch_dtype="torch.float32", device_map="auto"
    )
    assert exact.dtype == torch.float32
    with pytest.raises(TypeError, match="knows no load_in_4bit"):
        AutoModelForImageTextToText.from_pretrained(folder, load_in_4bit=True)
    with pytest.raises(TypeError, match="knows no min_pixels"):
        AutoProcessor.from_pretrained(folder, min_pixels=3)
    with pytest.raises(ValueError, match="names one device"):
        AutoModelForImageTextToText.from_pretrained(folder, device_map={"vision": 0})


def test_a_hub_name_has_the_tower_of_its_own_weights(published, loaded, tmp_path, monkeypatch):
    """Not that of `mm_vision_tower`, which the published code fetches for any name on the hub."""
    name, commit = "microsoft/Phi-4-reasoning-vision-15B", "0123456789abcdef" * 2 + "01234567"
    cache = tmp_path / f"models--{name.replace('/', '--')}"
    shutil.copytree(published.folder, cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    where = {"cache_dir": tmp_path, "local_files_only": True}
    model = AutoModelForImageTextToText.from_pretrained(name, dtype=torch.float32, **where)
    named = dict(model.named_parameters())
    assert any(one.startswith("vision.") for one in named)
    for one, tensor in loaded.model.named_parameters():
        assert torch.equal(tensor, named[one]), one
    assert AutoProcessor.from_pretrained(name, **where).image_token_id == loaded.renderer.image_id


def test_the_auto_processor_takes_what_the_published_one_does_not(published, loaded):
    """A caller's system message, lists as content, several images of unequal sizes, and none."""
    processor = AutoProcessor.from_pretrained(published.folder)
    model = AutoModelForImageTextToText.from_pretrained(published.folder, dtype=torch.float32)
    sizes = [(300, 500), (64, 48), (20, 700)]
    images = [Image.open(io.BytesIO(picture(*size, at))) for at, size in enumerate(sizes)]
    own = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    content = [{"type": "image", "image": one} for one in images]
    content.insert(2, {"type": "text", "text": "and"})
    several = [own, {"role": "user", "content": [*content, {"type": "text", "text": "Which?"}]}]
    alone = [own, {"role": "user", "content": "Which?"}]
    system = Turn("system", (Part("text", "Be brief."),))
    for asked, turn, shown in (
        (several, user(0, 1, "and", 2, "Which?"), sizes),
        (alone, user("Which?"), []),
    ):
        inputs = processor.apply_chat_template(
            asked, tokenize=True, return_dict=True, add_generation_prompt=True, return_tensors="pt"
        )
        assert inputs["input_ids"][0].tolist() == list(
            loaded.renderer.prompt([system, turn], shown).ids
        )
        with torch.no_grad():
            logits = model(**inputs).logits
        assert logits.shape[1] == inputs["input_ids"].shape[1] and logits.isfinite().all()


def test_none_of_a_folder_s_code_is_run(published, tmp_path):
    """It names classes of its own in both configurations, as the published one does."""
    shutil.copytree(published.folder, tmp_path / "model")
    for name in ("boom.py", "processing_phi4_visionr.py"):
        (tmp_path / "model" / name).write_text("raise SystemExit('run')", "utf-8")
    at = tmp_path / "model" / "config.json"
    theirs = {"AutoConfig": "boom.C", "AutoModelForCausalLM": "boom.M"}
    at.write_text(json.dumps({**json.loads(at.read_text("utf-8")), "auto_map": theirs}), "utf-8")
    told = {
        "processor_class": "Phi4VisionRProcessor",
        "auto_map": {"AutoProcessor": "processing_phi4_visionr.Phi4VisionRProcessor"},
    }
    (tmp_path / "model" / "preprocessor_config.json").write_text(json.dumps(told), "utf-8")
    for trust in (False, True):
        given = {"trust_remote_code": trust}
        processor = AutoProcessor.from_pretrained(tmp_path / "model", **given)
        model = AutoModelForImageTextToText.from_pretrained(tmp_path / "model", **given)
        assert type(processor).__module__.startswith("pellucid.")
        assert type(model).__module__.startswith("pellucid.")
