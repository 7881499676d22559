"""A tiny model on the shipped tokenizer, stock twins of its parts, and pictures to feed it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import Phi3ForCausalLM, Siglip2VisionConfig, Siglip2VisionModel

from pellucid.model import checkpoint
from pellucid.model.processor import Processor
from pellucid.model.vlm import PellucidForConditionalGeneration
from pellucid.prompt import Renderer
from pellucid.recipe.model import BuildModel, DecoderOptions, DynamicImages, VisionOptions


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def options() -> BuildModel:
    return BuildModel(
        images=DynamicImages(min_patches=4, max_patches=48),
        vision=VisionOptions(width=32, layers=3, heads=4, mlp_width=64, patch_px=8),
        decoder=DecoderOptions(width=48, layers=2, heads=4, kv_heads=2, mlp_width=96),
    )


@pytest.fixture(scope="session")
def renderer(options: BuildModel) -> Renderer:
    return Renderer.build(options)


@pytest.fixture(scope="session")
def processor(renderer: Renderer) -> Processor:
    return Processor(renderer)


@pytest.fixture
def model(options: BuildModel, renderer: Renderer) -> PellucidForConditionalGeneration:
    return checkpoint.build(options, 7, renderer)


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    def make(width: int, height: int, seed: int = 0, mode: str = "RGB", kind: str = "PNG") -> bytes:
        channels = len(mode)
        pixels = np.random.default_rng(seed).integers(
            0, 256, (height, width, channels), dtype=np.uint8
        )
        file = io.BytesIO()
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(file, kind)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def stock_features() -> Callable[..., Tensor]:
    """The stock SigLIP2 tower on the same weights, one padded batch, features of real patches."""

    def features(tower: Siglip2VisionModel, patches: Tensor, grids: Tensor, layer: int) -> Tensor:
        sizes = grids.prod(1).tolist()
        rows = nn.utils.rnn.pad_sequence(patches.split(sizes), batch_first=True)
        mask = torch.arange(rows.shape[1])[None] < torch.tensor(sizes)[:, None]
        states = tower(
            pixel_values=rows,
            pixel_attention_mask=mask.int(),
            spatial_shapes=grids,
            output_hidden_states=True,
        ).hidden_states
        return states[layer][mask]

    return features


@pytest.fixture(scope="session")
def stock_tower() -> Callable[..., Siglip2VisionModel]:
    """A stock tower that holds a packed tower's weights under the same names."""

    def make(config: Siglip2VisionConfig, ours: nn.Module) -> Siglip2VisionModel:
        tower = Siglip2VisionModel._from_config(config, attn_implementation="eager")
        missing, unexpected = tower.load_state_dict(ours.state_dict(), strict=False)
        unused = f"encoder.layers.{config.num_hidden_layers - 1}."
        assert not unexpected
        assert all(name.startswith((unused, "post_layernorm.")) for name in missing)
        return tower.eval()

    return make


@pytest.fixture(scope="session")
def stock_decoder() -> Callable[..., Phi3ForCausalLM]:
    """A stock decoder with eager attention that holds the weights of ours."""

    def make(ours: PellucidForConditionalGeneration) -> Phi3ForCausalLM:
        config = type(ours.config.text_config).from_dict(ours.config.text_config.to_dict())
        decoder = Phi3ForCausalLM._from_config(config, attn_implementation="eager")
        decoder.load_state_dict(ours.decoder.state_dict())
        return decoder.eval()

    return make


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    """Asserts that two gradients agree: difference at most 1e-5 of the reference's norm.

    A key bias adds the same to all scores of a query, so its gradient is zero but for rounding; it
    is measured against the key weight's.
    """

    def check(ours: dict[str, Tensor], reference: dict[str, Tensor]) -> None:
        assert ours.keys() == reference.keys()
        for name, expected in reference.items():
            scale = reference[name.replace("k_proj.bias", "k_proj.weight")].norm().item()
            difference = (ours[name] - expected).norm().item()
            assert scale > 0, f"{name} has no gradient to compare"
            assert difference <= 1e-5 * scale, f"{name}: {difference / scale:.1e}"

    return check
