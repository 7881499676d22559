"""A tiny checkpoint in the published layout of Phi-4-reasoning-vision, of stock classes only."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import Phi3Config, Phi3ForCausalLM, Siglip2VisionConfig, Siglip2VisionModel

CONTROLS = ["<|endoftext|>", "<|dummy_0|>", "<|dummy_84|>", "<|dummy_85|>", "<|im_start|>"]
CONTROLS += ["<|im_sep|>", "<|im_end|>"]
SYSTEM = "You look and answer. Open with <think> or with <|dummy_84|>, {as the task} wants."
TEMPLATE = (
    "<|im_start|>system<|im_sep|>"
    + SYSTEM
    + """<|im_end|>
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>' }}
{% elif message['role'] == 'assistant' %}
<|im_start|>assistant<|im_sep|>
{{ message['content'] + '<|im_end|>' }}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant<|im_sep|>' }}
{% endif %}"""
)
"""Lines, blanks and order of control strings as published; the words are ours."""

PREPROCESSOR = {
    "auto_map": {"AutoProcessor": "processing_phi4_visionr.Phi4VisionRProcessor"},
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "Siglip2ImageProcessorNoUpscale",
    "image_std": [0.5, 0.5, 0.5],
    "max_num_patches": 3600,
    "min_num_patches": 256,
    "patch_size": 16,
    "processor_class": "Phi4VisionRProcessor",
    "rescale_factor": 0.00392156862745098,
    "resample": 2,
}
"""`preprocessor_config.json` with the fields and values that the published one has."""


@dataclass(frozen=True)
class Stock:
    """The parts of a published model as transformers has them, and the folder they are in."""

    folder: Path
    tower: Siglip2VisionModel
    projector: nn.Sequential
    decoder: Phi3ForCausalLM

    def weights(self) -> dict[str, Tensor]:
        """Every weight by its published name."""
        named = dict(self.decoder.state_dict())
        parts = {
            "model.vision_tower.vision_tower.vision_model.": self.tower,
            "model.mm_projector.": self.projector,
        }
        for prefix, part in parts.items():
            named |= {prefix + name: one for name, one in part.state_dict().items()}
        return {name: one.detach().contiguous() for name, one in named.items()}


def byte_tokenizer() -> tokenizers.Tokenizer:
    """BPE over bytes with Phi-4's control strings; thinking tags are no special tokens there."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(["What is the value of the red bar? " * 9], trainer)
    made.add_special_tokens(CONTROLS)
    made.add_tokens(["<think>", "</think>"])
    return made


def published_fields(vocab: int, ids: dict[str, int], **sizes: Any) -> dict[str, Any]:
    """`config.json` with the fields that the published one has."""
    return {
        "architectures": ["Phi4ForCausalLMV"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "dtype": "bfloat16",
        "embd_pdrop": 0.0,
        "eos_token_id": ids["<|im_end|>"],
        "freeze_mm_mlp_adapter": False,
        "hidden_act": "silu",
        "image_aspect_ratio": "square",
        "initializer_range": 0.02,
        "max_num_patches": 3600,
        "max_position_embeddings": 32768,
        "min_num_patches": 256,
        "mm_projector_lr": 2e-05,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_tower": "google/siglip2-so400m-patch16-naflex",
        "model_type": "phi4-siglip",
        "original_max_position_embeddings": 32768,
        "pad_token_id": ids["<|dummy_85|>"],
        "partial_rotary_factor": 1.0,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 500000,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "tokenizer_model_max_length": 8192,
        "tokenizer_padding_side": "right",
        "transformers_version": "4.56.1",
        "tune_mm_mlp_adapter": False,
        "unfreeze_vision_tower": True,
        "use_cache": False,
        "use_mm_proj": True,
        "use_s2": False,
        "vocab_size": vocab,
        **sizes,
    }


def stock_parts(
    fields: dict[str, Any],
) -> tuple[Siglip2VisionModel, nn.Sequential, Phi3ForCausalLM]:
    """The parts that the published code composes, of these sizes."""
    vision = {k: v for k, v in fields["vision_config"].items() if k != "model_type"}
    tower = Siglip2VisionModel._from_config(
        Siglip2VisionConfig(**vision, patch_size=16), attn_implementation="eager"
    )
    names = (
        "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
        "bos_token_id num_key_value_heads max_position_embeddings rms_norm_eps "
        "original_max_position_embeddings "
        "eos_token_id pad_token_id tie_word_embeddings initializer_range"
    )
    decoder = Phi3ForCausalLM._from_config(
        Phi3Config(
            **{name: fields[name] for name in names.split()},
            rope_parameters={"rope_type": "default", "rope_theta": float(fields["rope_theta"])},
        ),
        attn_implementation="eager",
    )
    wide, deep = fields["vision_config"]["hidden_size"], fields["hidden_size"]
    projector = nn.Sequential(nn.Linear(wide, deep), nn.GELU(), nn.Linear(deep, deep))
    return tower, projector, decoder


TINY: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "mm_hidden_size": 32,
    "initializer_range": 0.1,
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "model_type": "siglip2_vision_model",
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
    },
}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """The folder, in two shards of bfloat16."""
    folder = tmp_path_factory.mktemp("published")
    tokenizer = byte_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = tokenizer.get_vocab()
    fields = published_fields(len(ids), ids, **TINY)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        tower, projector, decoder = stock_parts(fields)
        for part in (tower, projector, decoder):
            for one in part.parameters():
                one.data = one.data.to(torch.bfloat16).float()
    stock = Stock(folder, tower.eval(), projector.eval(), decoder.eval())
    weights = {name: one.to(torch.bfloat16) for name, one in stock.weights().items()}
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2]}
    shards["model-00002-of-00002.safetensors"] = names[1::2]
    for file, held in shards.items():
        save_file({name: weights[name] for name in held}, folder / file, {"format": "pt"})
    where = {name: file for file, held in shards.items() for name in held}
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(fields))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    (folder / "modeling_phi4_visionr.py").write_text("raise SystemExit('remote code ran')\n")
    return stock


def picture(width: int, height: int, seed: int) -> bytes:
    """A PNG of noise."""
    noise = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    file = io.BytesIO()
    Image.fromarray(noise.byte().numpy()).save(file, "PNG")
    return file.getvalue()
