"""The vision-language model: tower -> projector -> decoder, mid-fusion by placeholders.

A projected feature replaces the embedding of one image placeholder: one per patch, or one per
square of patches (`config.square`). The decoder is transformers' own, run through its attention
interface. Training and the engine use the named pieces (`features`, `embed`, `positions`, `hidden`,
`head`); `forward` composes them in the form that transformers' `generate` and trainers expect.

Tokens of an image may see each other (`config.image_attention`), an ablation that the published
model has not: a run of placeholders is taken for one image.

Left out on purpose: padded batches for decoders with mRoPE.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    BaseModelOutputWithPooling,
    CausalLMOutputWithPast,
)
from transformers.modeling_utils import slice_logits_to_keep

from pellucid.base.lookup import pick
from pellucid.model import attention
from pellucid.model.cache import Slots
from pellucid.model.config import PellucidConfig
from pellucid.model.decoder import DECODERS, MROPE, positions
from pellucid.model.projector import PROJECTORS
from pellucid.model.rounding import spare
from pellucid.model.segments import segment_positions
from pellucid.model.vision.qwen2_5 import QwenTower
from pellucid.model.vision.stitch import stitch, stitched_tokens
from pellucid.model.vision.tower import VisionTower

TOWERS: Mapping[str, Callable[[Any, int], VisionTower | QwenTower]] = {
    "siglip2_vision_model": VisionTower,
    "qwen2_5_vl_vision": QwenTower,
}
"""Tower classes by the `model_type` of their configuration."""

IGNORED = -100
"""Label that the loss does not count."""


class PellucidForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Images and text in, logits over text out."""

    config: PellucidConfig
    config_class = PellucidConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]

    def __init__(self, config: PellucidConfig) -> None:
        attention.register()
        if config.text_config._attn_implementation is None:
            config.text_config._attn_implementation = attention.NAME
        super().__init__(config)
        seen = config.vision_config.hidden_size * config.feature_scales
        widths = seen, config.text_config.hidden_size
        tower = pick(TOWERS, config.vision_config.model_type, "config.vision_config.model_type")
        self.vision = tower(config.vision_config, config.feature_layer)
        self.projector = pick(PROJECTORS, config.projector, "config.projector")(*widths)
        kind = config.text_config.model_type
        self.decoder = pick(DECODERS, kind, "config.text_config.model_type")(config.text_config)
        self.post_init()

    def modules_by_name(self) -> dict[str, nn.Module]:
        """The parts that a recipe trains or freezes; embedding and head belong to the decoder."""
        return {"vision": self.vision, "projector": self.projector, "decoder": self.decoder}

    def layers(self) -> Iterator[nn.Module]:
        """The layers of tower and decoder, in the order in which they are run."""
        yield from self.vision.layers()
        yield from self.decoder.model.layers

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.decoder.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.decoder.get_output_embeddings()

    def features(
        self,
        pixel_values: Float[Tensor, "p c"],
        image_grids: Int64[Tensor, "n g"],
        tower: Float[Tensor, "_ w"] | None = None,
    ) -> Float[Tensor, "f d"]:
        """Projected features of a batch: one per patch, or square of patches, in their order.

        With several scales there is one per patch of the merged scale (see `vision.stitch`), and
        `image_grids` has four columns. With what `vision` gave, `tower`, pixels are not looked at.
        """
        features = tower
        if features is None:
            features = self.vision(pixel_values, image_grids[:, :2].contiguous())
        if self.config.feature_scales > 1:
            features = stitch(features, image_grids, *self._scales)
        return self.projector(features)

    @property
    def _scales(self) -> tuple[int, Any]:
        return self.config.feature_scales, self.config.merged_scale

    def embed(
        self,
        input_ids: Int64[Tensor, "b t"],
        pixel_values: Float[Tensor, "p c"] | None = None,
        image_grids: Int64[Tensor, "n g"] | None = None,
        tower: Float[Tensor, "_ w"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """Token embeddings, with image features in place of the placeholders, in reading order.

        Without images the tower is skipped; for `tower` see `features`.

        Raises:
            ValueError: the number of placeholders is not the number of features.
        """
        if pixel_values is None or image_grids is None or len(image_grids) == 0:
            return self.get_input_embeddings()(input_ids)
        return self._place(input_ids, self.features(pixel_values, image_grids, tower))

    def _place(
        self, input_ids: Int64[Tensor, "b t"], features: Float[Tensor, "p d"]
    ) -> Float[Tensor, "b t d"]:
        """Put features at the placeholders."""
        embedded = self.get_input_embeddings()(input_ids)
        places = input_ids == self.config.image_token_id
        if (count := int(places.sum())) != len(features):
            raise ValueError(f"{count} image placeholders for {len(features)} image features")
        return embedded.masked_scatter(places[..., None], features.to(embedded.dtype))

    def positions(
        self,
        input_ids: Int64[Tensor, "1 t"],
        image_grids: Int64[Tensor, "n g"] | None,
        segments: Sequence[int],
    ) -> Int64[Tensor, "*axes 1 t"]:
        """Where the tokens of a packed row stand, counted anew in each segment.

        With `axes` 3 (time, row, column) for a decoder with mRoPE; the three are equal for text.
        """
        return positions(self.config, input_ids, image_grids, segments)

    def images(self, input_ids: Int64[Tensor, "b t"]) -> Int64[Tensor, "b t"] | None:
        """Which image each token is of, from 1 in each row; 0 for text.

        None where the decoder sees an image as it sees text.
        """
        if self.config.image_attention == "causal":
            return None
        inside = input_ids == self.config.image_token_id
        starts = inside & ~F.pad(inside, (1, 0))[:, :-1]
        return starts.cumsum(-1) * inside

    def hidden(
        self,
        inputs_embeds: Float[Tensor, "b t d"],
        *,
        images: Int64[Tensor, "b t"] | None = None,
        segments: Sequence[int] | None = None,
        position_ids: Int64[Tensor, "*axes b t"] | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        rows: Int64[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """The decoder's last hidden state, after its norm.

        Args:
            inputs_embeds: from `embed`.
            images: from `images`.
            segments: lengths of the sequences packed in the one row (b = 1); they add up to t.
                Attention stays within a segment and positions restart in each.
            position_ids: from `positions`; counted from 0 (per segment) when None, which a decoder
                with mRoPE refuses.
            attention_mask: 1 for a token, 0 for padding, as transformers has it; not with segments.
            past_key_values: a transformers cache, a `SlotCache` (b = slots, t = 1), or what
                `SlotCache.prefill` returns (b = 1); the last two bring their positions and mask.
            rows: tokens whose states are asked for, which saves what the last layer does behind its
                attention for the others; all when None.
        """
        tokens = inputs_embeds.shape[1]
        count = tokens
        if rows is not None:
            count = len(rows)
            rows = F.pad(rows, (0, spare(count, inputs_embeds.device, inputs_embeds.dtype)))
        if segments and (more := spare(tokens, inputs_embeds.device, inputs_embeds.dtype)):
            # One more segment, which no other sees.
            inputs_embeds = F.pad(inputs_embeds, (0, 0, 0, more))
            position_ids = None if position_ids is None else F.pad(position_ids, (0, more))
            images = None if images is None else F.pad(images, (0, more))
            segments = (*segments, more)
        output = self._decode(
            inputs_embeds, segments, position_ids, attention_mask, past_key_values, images,
            use_cache=False, wanted=rows,
        )  # fmt: skip
        return output.last_hidden_state[:, :count]

    def _decode(
        self,
        inputs_embeds: Tensor,
        segments: Sequence[int] | None,
        position_ids: Tensor | None,
        attention_mask: Tensor | None,
        past_key_values: Any,
        images: Tensor | None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Run the decoder without its head."""
        if isinstance(past_key_values, Slots):
            position_ids, attention_mask, segments = past_key_values.view()
        if position_ids is None and self.config.text_config.model_type in MROPE:
            raise ValueError("this decoder has to be told where its tokens stand: see `positions`")
        if segments is not None:
            self._check_segments(inputs_embeds, segments, attention_mask)
            if position_ids is None:
                position_ids = segment_positions(segments, inputs_embeds.device)
            # A 4-D mask is handed through as it is, which keeps transformers from building a
            # (t, t) one out of the restarting positions; our attention reads `segments` instead.
            attention_mask = inputs_embeds.new_empty(1, 1, 1, 1)
            kwargs["segments"] = tuple(segments)
            kwargs["images"] = None if images is None else images[0]
        elif images is not None:
            attention_mask = self._seen(images, attention_mask)
        return self.decoder.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )

    def _seen(self, images: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Who sees whom in rows that are not packed, under a mask of padding or a whole one."""
        chosen = self.config.text_config._attn_implementation
        if chosen not in (attention.NAME, "sdpa"):
            known = f"{attention.NAME!r} or 'sdpa'"
            raise ValueError(f"images that see themselves need {known}, got {chosen!r}")
        base = attention_mask
        if base is not None and base.ndim == 2:
            base = base[:, None, None, :].bool() & attention.seen(torch.zeros_like(images))
        return attention.seen(images, base)

    def _check_segments(
        self, inputs_embeds: Tensor, segments: Sequence[int], attention_mask: Tensor | None
    ) -> None:
        rows, tokens = inputs_embeds.shape[:2]
        if rows != 1 or sum(segments) != tokens:
            raise ValueError(
                f"segments of {sum(segments)} tokens do not fill one row: got {rows} x {tokens}"
            )
        if attention_mask is not None:
            raise ValueError("a packed row has no padding: give segments or attention_mask")
        chosen = self.config.text_config._attn_implementation
        if chosen != attention.NAME:
            raise ValueError(
                f"packed rows need attn_implementation={attention.NAME!r}, got {chosen!r}"
            )

    def head(self, hidden: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows v"]:
        """Logits over the vocabulary."""
        return self.decoder.lm_head(hidden)

    def get_image_features(
        self,
        pixel_values: Float[Tensor, "p c"],
        image_grids: Int64[Tensor, "n g"],
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        """Features split by view, in `pooler_output`; `generate` calls this before prefill."""
        features = self.features(pixel_values, image_grids)
        several = self.config.feature_scales > 1
        per_token = self.config.square**2
        sizes = (
            stitched_tokens(image_grids, *self._scales)
            if several
            else (image_grids.prod(1) // per_token).tolist()
        )
        return BaseModelOutputWithPooling(pooler_output=list(features.split(sizes)))

    def forward(
        self,
        input_ids: Int64[Tensor, "b t"] | None = None,
        pixel_values: Float[Tensor, "p c"] | None = None,
        image_grids: Int64[Tensor, "n g"] | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Int64[Tensor, "*axes _ t"] | None = None,
        past_key_values: Any = None,
        inputs_embeds: Float[Tensor, "b t d"] | None = None,
        segments: Sequence[int] | None = None,
        labels: Int64[Tensor, "b t"] | None = None,
        logits_to_keep: int | Tensor = 0,
        use_cache: bool | None = None,
        mm_encoder_outputs: Mapping[str, BaseModelOutputWithPooling] | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits, and the mean next-token loss when `labels` are given.

        Args:
            input_ids: tokens; or give `inputs_embeds`.
            pixel_values: packed patches of all images of all rows, in reading order.
            image_grids: rows and columns of each view; see `features`.
            attention_mask: see `hidden`.
            position_ids: see `hidden`.
            past_key_values: see `hidden`.
            inputs_embeds: instead of `input_ids`.
            segments: see `hidden`.
            labels: the tokens again, -100 where nothing is to be learnt; shifted here. A packed
                row's first labels are not counted: no token of their own segment predicts them.
            logits_to_keep: compute only the last n logits (or those at these indices); 0 for all.
            use_cache: whether to return a cache.
            mm_encoder_outputs: `{"image": get_image_features(...)}`, instead of pixels.
            kwargs: passed to the decoder and the loss (`num_items_in_batch`).
        """
        if inputs_embeds is None:
            encoded = (mm_encoder_outputs or {}).get("image")
            if encoded is None:
                inputs_embeds = self.embed(input_ids, pixel_values, image_grids)
            else:
                inputs_embeds = self._place(input_ids, torch.cat(list(encoded.pooler_output)))
        if position_ids is None and input_ids is not None and past_key_values is None:
            position_ids = self._counted(input_ids, image_grids, attention_mask, segments)
        before = 0 if past_key_values is None else past_key_values.get_seq_length()
        images = None if input_ids is None else self.images(input_ids)
        if self.config.image_attention != "causal" and (
            input_ids is None or (before and images is not None and bool(images.any()))
        ):
            rule = "come as input_ids, before anything is kept"
            raise ValueError(f"images that see themselves {rule}")
        images = None if before else images
        items = {key: kwargs.pop(key) for key in ("num_items_in_batch",) if key in kwargs}
        output = self._decode(
            inputs_embeds, segments, position_ids, attention_mask, past_key_values, images,
            use_cache=use_cache if labels is None and segments is None else False, **kwargs,
        )  # fmt: skip
        logits = self.head(slice_logits_to_keep(output.last_hidden_state, logits_to_keep))
        return CausalLMOutputWithPast(
            loss=None if labels is None else self._loss(logits, labels, segments, **items),
            logits=logits,
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]
    ) -> Tensor:
        """Positions of the prompts, from which `generate` counts on."""
        counted = self._counted(
            inputs_tensor, model_kwargs.get("image_grids"), model_kwargs.get("attention_mask"), None
        )
        if counted is not None:
            return counted
        stock: Tensor = super()._prepare_position_ids_for_generation(inputs_tensor, model_kwargs)
        return stock

    def _counted(
        self,
        input_ids: Int64[Tensor, "b t"],
        image_grids: Int64[Tensor, "n g"] | None,
        attention_mask: Tensor | None,
        segments: Sequence[int] | None,
    ) -> Int64[Tensor, "*axes b t"] | None:
        """Positions of rows that stand by themselves, for a decoder that has to be told them."""
        if self.config.text_config.model_type not in MROPE:
            return None
        rows, tokens = input_ids.shape
        if segments is not None:
            return self.positions(input_ids, image_grids, segments)
        if attention_mask is not None and not bool(attention_mask.all()):
            raise ValueError("rows of this decoder are not padded: give `segments`")
        counted = self.positions(input_ids.reshape(1, -1), image_grids, [tokens] * rows)
        return counted.unflatten(-1, (rows, tokens)).squeeze(1)

    def _loss(
        self, logits: Tensor, labels: Tensor, segments: Sequence[int] | None, **items: Any
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of the labels that a token of the same segment predicts."""
        if segments is not None:
            starts = segment_positions(segments, labels.device) == 0
            labels = labels.masked_fill(starts, IGNORED)
        return self.loss_function(
            logits=logits, labels=labels, vocab_size=self.config.text_config.vocab_size, **items
        )
