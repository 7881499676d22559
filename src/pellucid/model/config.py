"""The configuration of a checkpoint, as `config.json` holds it.

The two sub-configurations are transformers' own (SigLIP2 vision and Phi-3, or Qwen2.5-VL's two), so
that a published checkpoint's numbers need no translation. Image budgets are not here: they belong
to the processor and stand in `preprocessor_config.json`.
"""

from typing import Any, ClassVar, no_type_check

from transformers import AutoConfig, Phi3Config, PreTrainedConfig, Siglip2VisionConfig
from transformers.configuration_utils import SubConfigSpec

from pellucid.recipe.model import BuildModel


# The constructor that transformers gives it takes more keywords than its signature shows.
@no_type_check
class PellucidConfig(PreTrainedConfig):
    """Sizes of tower, projector and decoder, and the id of the image placeholder.

    `vision_config.num_hidden_layers` counts the layers of the published tower; those after
    `feature_layer` are neither built nor saved (see `vision.tower`).
    """

    model_type = "pellucid"
    sub_configs_defaults: ClassVar[dict[str, Any]] = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="siglip2_vision_model"),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="phi3"),
    }

    vision_config: Any = None
    """A `Siglip2VisionConfig` by default; a dictionary is turned into what its type says."""
    text_config: Any = None
    """The decoder's configuration, a `Phi3Config` by default; a dictionary is turned into one."""
    image_token_id: int = 0
    """Id of the placeholder that stands once for every image token."""
    feature_layer: int = -2
    """Which hidden state of the tower is projected: -1 is the last layer's, before its norm."""
    projector: str = "mlp2x_gelu"
    """Name of the projector."""
    feature_scales: int = 1
    """Scales at which a token is seen; the projector gets their features side by side."""
    merged_scale: str = "first"
    """Which scale's patches are the tokens: `first` or `last`."""
    image_attention: str = "causal"
    """Whether tokens of one image see those before them (`causal`) or each other
    (`bidirectional`)."""
    tie_word_embeddings: bool = False
    """Always False here: whether the head shares the embedding is the decoder's own matter."""

    @property
    def square(self) -> int:
        """Side of the square of patches that becomes one token; 1 where each patch does."""
        return int(getattr(self.vision_config, "spatial_merge_size", 1))


def config_for(
    options: BuildModel,
    *,
    vocab_size: int,
    image_token_id: int,
    pad_token_id: int,
    eos_token_id: int,
) -> PellucidConfig:
    """The configuration of a model built from a recipe.

    Args:
        options: the recipe's slice.
        vocab_size: rows of the embedding.
        image_token_id: id of the image placeholder.
        pad_token_id: id that fills padded rows.
        eos_token_id: id that ends an assistant turn.
    """
    vision, decoder = options.vision, options.decoder
    return PellucidConfig(
        vision_config=Siglip2VisionConfig(
            hidden_size=vision.width,
            intermediate_size=vision.mlp_width,
            num_hidden_layers=vision.layers,
            num_attention_heads=vision.heads,
            patch_size=vision.patch_px,
            num_patches=vision.position_grid**2,
            vision_use_head=False,
        ),
        text_config=Phi3Config(
            vocab_size=vocab_size,
            hidden_size=decoder.width,
            intermediate_size=decoder.mlp_width,
            num_hidden_layers=decoder.layers,
            num_attention_heads=decoder.heads,
            num_key_value_heads=decoder.kv_heads,
            max_position_embeddings=decoder.context_tokens,
            original_max_position_embeddings=decoder.context_tokens,
            rope_parameters={"rope_type": "default", "rope_theta": decoder.rope_theta},
            tie_word_embeddings=decoder.tied_head,
            bos_token_id=None,
            eos_token_id=eos_token_id,
            pad_token_id=pad_token_id,
        ),
        image_token_id=image_token_id,
        feature_layer=vision.feature_layer,
        projector=options.projector.kind,
        feature_scales=options.images.scales,
        merged_scale=options.images.merged,
        image_attention=decoder.image_attention or "causal",
    )
