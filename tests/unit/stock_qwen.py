"""A tiny random Qwen2.5-VL, as a folder that transformers wrote, with the published template."""

import copy
import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
CONTROLS += ["<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
SYSTEM = "You are a helpful assistant."
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2's tokenizer cuts text before BPE."""
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}"
    "{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Writes pictures and turns as the published one does; without video and numbered pictures."""


def tokenizer() -> tokenizers.Tokenizer:
    """BPE over bytes after NFC, cut and decoded as Qwen2's."""
    made = tokenizers.Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(["What is the value of the red bar?\n\n" * 9], trainer)
    made.add_special_tokens(CONTROLS)
    return made


def fields(vocab: int, ids: dict[str, int], **sizes: Any) -> dict[str, Any]:
    """`config.json` as the hub has it, text fields beside the rest."""
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_window_layers": 28,
        "model_type": "qwen2_5_vl",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.41.2",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": vocab,
        **sizes,
    }


TINY = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "max_position_embeddings": 2048,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
    "vision_config": {
        "depth": 4,
        "hidden_act": "silu",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "in_chans": 3,
        "out_hidden_size": 64,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "window_size": 56,
        "fullatt_block_indexes": [1, 3],
        "tokens_per_second": 2,
        "temporal_patch_size": 2,
    },
}
"""Sizes of a model that runs in a test."""


def write(folder: Path, **change: Any) -> Qwen2_5_VLForConditionalGeneration:
    """Fill a folder as the hub has it; return the stock model whose weights it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer()
    ids = {name: made.token_to_id(name) for name in CONTROLS}
    told = fields(made.get_vocab_size() + 9, ids, **{**TINY, **change})
    torch.manual_seed(11)
    config = Qwen2_5_VLConfig.from_dict({**told, "torch_dtype": "float32"})
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases and norms too, so that each is seen to matter
            parameter.copy_((parameter + torch.randn_like(parameter) * 0.05).bfloat16())
    # A copy, because turning a model also rounds its rotary frequencies.
    copy.deepcopy(model).bfloat16().save_pretrained(folder, max_shard_size="100KB")
    (folder / "config.json").write_text(json.dumps(told, indent=2))
    Qwen2VLImageProcessorPil(
        size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 40}
    ).save_pretrained(folder)
    held = json.loads((folder / "preprocessor_config.json").read_text())
    size = held.pop("size")
    held |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
    held["processor_class"] = "Qwen2_5_VLProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps(held))
    made.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>"}
    told |= {"eos_token": "<|im_end|>", "chat_template": TEMPLATE}
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    told["added_tokens_decoder"] = {
        str(id_): {"content": name, **plain, "special": True} for name, id_ in ids.items()
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return model
