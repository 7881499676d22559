"""Slice `model`: what is built, from a seed or from a checkpoint."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pellucid.recipe.base import Options

LONGEST_PX = 8192
"""Longest side of what pictures are resized or filled up to."""

Positive = Annotated[float, Field(gt=0)]
Side = Annotated[int, Field(ge=2, le=LONGEST_PX)]


class Scaled(Options):
    """What strategies have in common; those that see a picture at several scales say more."""

    merged: ClassVar[Literal["first", "last"]] = "first"
    """Which scale's patches are the tokens; the features of the others are averaged to them."""

    @property
    def scales(self) -> int:
        """Scales at which a token is seen; its features stand side by side."""
        return 1

    @property
    def patches_per_token(self) -> int:
        """Neighbouring patches, one after the other, that become one token."""
        return 1


class OneView(Scaled):
    """What strategies with one view have in common: a patch is a token."""

    max_patches: int = Field(256, ge=1)
    """Larger images are scaled down to this many patches (the report: 3600, and 2048)."""

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        return self.max_patches

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        return self.max_patches


class DynamicImages(OneView):
    """NaFlex dynamic resolution: native size between a smallest and a largest patch count."""

    kind: Literal["dynamic"] = "dynamic"
    min_patches: int = Field(16, ge=1)
    """Smaller images are scaled up to this many patches (the report: 256)."""

    def limited(self, tokens: int, patch_px: int) -> "DynamicImages":
        """The same with at most so many tokens of an image."""
        most = min(self.max_patches, tokens)
        return DynamicImages(min_patches=min(self.min_patches, most), max_patches=most)


class Siglip2Images(OneView):
    """SigLIP2's own rule: every image is scaled, up or down, to fill the patch count."""

    kind: Literal["siglip2"] = "siglip2"


class MultiCropImages(Scaled):
    """Square crops at native size, side by side or overlapping (row 2 of the report's Table 1)."""

    kind: Literal["multi_crop"] = "multi_crop"
    crop_px: int = Field(384, ge=2, le=LONGEST_PX)
    """Side of a crop, a multiple of the patch side."""
    max_tokens: int = Field(3096, ge=1)
    """At most as many crops as this holds whole; larger images are scaled down until they do."""

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        each = max(self.crop_px // patch_px, 1) ** 2
        return max(self.max_tokens // each, 1) * each

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        return self.most_tokens(patch_px)


class S2Images(Scaled):
    """S2 (arXiv 2403.13043): the picture as squares of several sizes, cut into tiles of one size.

    What the tower makes of the larger squares is averaged to the patches of the smallest.
    """

    kind: Literal["s2"] = "s2"
    tile_px: int = Field(384, ge=2, le=LONGEST_PX)
    """Side of a tile, a multiple of the patch side."""
    scales_px: tuple[Side, ...] = Field((384, 768, 1152), min_length=2)
    """Sides of the squares, from the smallest; multiples of the tile's side."""

    @property
    def scales(self) -> int:
        """Scales at which a token is seen."""
        return len(self.scales_px)

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of every image."""
        return (self.scales_px[0] // patch_px) ** 2

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of every image."""
        return sum((side // patch_px) ** 2 for side in self.scales_px)


class DynamicS2Images(Scaled):
    """S2 whose last scale is a grid of tiles near the picture's shape (row 1 of Table 1)."""

    kind: Literal["dynamic_s2"] = "dynamic_s2"
    merged: ClassVar[Literal["first", "last"]] = "last"
    tile_px: int = Field(384, ge=2, le=LONGEST_PX)
    """Side of a tile, a multiple of the patch side."""
    scales_px: tuple[Side, ...] = Field((384, 768), min_length=1)
    """Sides of the squares before the grid, from the smallest; multiples of the tile's side."""
    max_tokens: int = Field(3096, ge=1)
    """At most as many tiles in the grid as this holds whole."""

    @property
    def scales(self) -> int:
        """Scales at which a token is seen, the grid included."""
        return len(self.scales_px) + 1

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        each = max(self.tile_px // patch_px, 1) ** 2
        return max(self.max_tokens // each, 1) * each

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        squares = sum((side // patch_px) ** 2 for side in self.scales_px)
        return squares + self.most_tokens(patch_px)


class MultiCropS2Images(Scaled):
    """Large crops, and S2 on each of them (row 3 of Table 1)."""

    kind: Literal["multi_crop_s2"] = "multi_crop_s2"
    crop_px: int = Field(1536, ge=2, le=LONGEST_PX)
    """Side of a crop at native size."""
    tile_px: int = Field(384, ge=2, le=LONGEST_PX)
    """Side of a tile, a multiple of the patch side."""
    scales_px: tuple[Side, ...] = Field((384, 768, 1536), min_length=2)
    """Sides of the squares that a crop becomes, from the smallest; multiples of the tile's side."""
    max_tokens: int = Field(2048, ge=1)
    """At most as many crops as this holds whole; larger images are scaled down until they do."""

    @property
    def scales(self) -> int:
        """Scales at which a token is seen."""
        return len(self.scales_px)

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        each = max(self.scales_px[0] // patch_px, 1) ** 2
        return max(self.max_tokens // each, 1) * each

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        crops = self.most_tokens(patch_px) // max(self.scales_px[0] // patch_px, 1) ** 2
        return crops * sum((side // patch_px) ** 2 for side in self.scales_px)


class Qwen2VlImages(Scaled):
    """Qwen2-VL's own rule: near native size, whole squares of patches, each square one token.

    It comes with a checkpoint of that family; a new model cannot be built with it.
    """

    kind: Literal["qwen2_vl"] = "qwen2_vl"
    merge: int = Field(2, ge=1)
    """Side of the square of patches that becomes one token."""
    min_pixels: int = Field(56 * 56, ge=1, le=LONGEST_PX**2)
    """Smaller images are scaled up to this many pixels."""
    max_pixels: int = Field(28 * 28 * 1280, ge=1, le=LONGEST_PX**2)
    """Larger images are scaled down to this many pixels."""
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    """Of red, green and blue, from 0 to 1: taken off (CLIP's)."""
    std: tuple[Positive, Positive, Positive] = (0.26862954, 0.26130258, 0.27577711)
    """Of the same: what is left is divided by it."""

    @property
    def patches_per_token(self) -> int:
        """Patches of a square."""
        return self.merge**2

    def limited(self, tokens: int, patch_px: int) -> "Qwen2VlImages":
        """The same with at most so many tokens of an image."""
        most = min(self.max_pixels, tokens * (patch_px * self.merge) ** 2)
        least = min(self.min_pixels, most)
        return self.model_copy(update={"min_pixels": least, "max_pixels": most})

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        return max(self.max_pixels // (patch_px * self.merge) ** 2, 1)

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        return self.most_tokens(patch_px) * self.patches_per_token


class PythonImages(Scaled):
    """A function of your own: which parts of a picture the tower sees, and at which sizes.

    A patch is a token.
    """

    kind: Literal["python"] = "python"
    path: str
    """`file.py:function`, relative to the recipe; called with width, height and patch side in
    pixels, it gives a list of `((left, top, right, bottom), (width, height))`: a part of the
    picture, and the size that it is resized to, whole patches."""
    options: dict[str, str | int | float | bool] = {}
    """Further keyword arguments of the function."""
    max_tokens: int = Field(ge=1)
    """Most patches of all parts of a picture together; a function that gives more is refused."""
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Hash of the file; the run fills it in. Given in a recipe, no other file will do."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def function(self) -> str:
        """Name of the function."""
        return self.path.rpartition(":")[2]

    def most_tokens(self, patch_px: int) -> int:
        """Tokens of the largest image."""
        return self.max_tokens

    def most_patches(self, patch_px: int) -> int:
        """Patches that the tower reads of the largest image."""
        return self.max_tokens


NewImageOptions = Annotated[
    DynamicImages
    | Siglip2Images
    | MultiCropImages
    | S2Images
    | DynamicS2Images
    | MultiCropS2Images
    | PythonImages,
    Field(discriminator="kind"),
]
"""Strategies that a new model can be built with."""

ImageOptions = Annotated[
    DynamicImages
    | Siglip2Images
    | MultiCropImages
    | S2Images
    | DynamicS2Images
    | MultiCropS2Images
    | PythonImages
    | Qwen2VlImages,
    Field(discriminator="kind"),
]
"""Strategies that a checkpoint can have."""


class Weights(Options):
    """Where published weights lie: a folder, or a commit of a hub."""

    path: str | None = None
    """The folder, relative to the recipe; give this or `hub`."""
    hub: str | None = None
    """Name on the Hugging Face hub, `owner/name`; fetched once, with no code of its own."""
    revision: str | None = None
    """The commit of `hub` that is meant, all 40 digits: a branch may move."""


class VisionOptions(Options):
    """A SigLIP2 NaFlex tower."""

    weights: Weights | None = None
    """Of a published SigLIP2 of these sizes; drawn from the recipe's seed when absent."""

    width: int = Field(ge=8)
    """Hidden size."""
    layers: int = Field(ge=2)
    """Transformer layers of the checkpoint; layers after `feature_layer` are never run."""
    heads: int = Field(ge=1)
    """Attention heads."""
    mlp_width: int = Field(ge=8)
    """Hidden size of the feed-forward part."""
    patch_px: int = Field(16, ge=2)
    """Patch side in pixels."""
    position_grid: int = Field(16, ge=2)
    """Side of the learned position table."""
    feature_layer: int = Field(-2, le=-1)
    """Which hidden state feeds the projector; the report's -2 is one layer early, unnormed."""


class ProjectorOptions(Options):
    """Two linear layers with a GELU between (`mlp2x_gelu`)."""

    kind: Literal["mlp2x_gelu"] = "mlp2x_gelu"


class DecoderOptions(Options):
    """A decoder-only language model from transformers."""

    weights: Weights | None = None
    """Of a published model of these sizes; drawn from the recipe's seed when absent."""
    vocab_size: int | None = Field(None, ge=2)
    """Rows of embedding and head; those that the tokenizer needs when absent."""

    kind: Literal["phi3"] = "phi3"
    """Architecture; Phi-3 is the class of Phi-4 and Phi-4-reasoning."""
    width: int = Field(ge=8)
    """Hidden size."""
    layers: int = Field(ge=1)
    """Transformer layers."""
    heads: int = Field(ge=1)
    """Attention heads."""
    kv_heads: int = Field(ge=1)
    """Key-value heads (grouped-query attention)."""
    mlp_width: int = Field(ge=8)
    """Hidden size of the feed-forward part."""
    context_tokens: int = Field(1024, ge=64)
    """Longest sequence."""
    rope_theta: float = Field(10_000.0, gt=0)
    """Base of the rotary positions."""
    tied_head: bool = True
    """Whether the output head shares the embedding's weights."""
    image_attention: Literal["bidirectional"] | None = None
    """`bidirectional` lets the tokens of an image see each other (an ablation); absent for what the
    report has: every token sees those before it."""


Lead = Literal["", " "]
"""What can open a thinking or an answer."""


class PromptOptions(Options):
    """How a conversation becomes tokens; saved with the checkpoint."""

    tokenizer: str = "asset:tokenizer/tokenizer.json"
    """A `tokenizers` file that holds the control tokens of the format; with `decoder.weights` the
    one that lies beside these is taken, whatever stands here."""
    format: Literal["phi4"] | None = None
    """Control strings: those of Phi-4-reasoning-vision, or our own when absent."""
    system: str = ""
    """System message of conversations that bring none; empty for none."""
    keep_thinking: bool = False
    """Whether later turns are shown the thinking of earlier ones."""
    lead: Lead = ""
    """What opens every thinking and answer. After a space, the first word of an answer has the
    token that it has within a text."""


class BuildModel(Options):
    """A new model with random weights drawn from the recipe's seed."""

    kind: Literal["build"] = "build"
    images: NewImageOptions = DynamicImages()
    """Image strategy."""
    vision: VisionOptions
    """Vision tower."""
    projector: ProjectorOptions = ProjectorOptions()
    """From tower to decoder."""
    decoder: DecoderOptions
    """Language model."""
    prompt: PromptOptions = PromptOptions()
    """Conversation format."""


class _Existing(Options):
    """What can be changed of a model that is there already."""

    projector: Literal["keep", "fresh"] = "keep"
    """`fresh` draws the projector anew from the recipe's seed; tower and decoder are kept."""
    lead: Lead | Literal["keep"] = "keep"
    """`prompt.lead`, if it is to be another than the checkpoint's."""


class CheckpointModel(_Existing):
    """A checkpoint folder that Pellucid saved earlier."""

    kind: Literal["checkpoint"] = "checkpoint"
    path: str
    """The folder; relative to the recipe, or `asset:...`."""


class PretrainedModel(_Existing, Weights):
    """A model that others published, in their layout: Phi-4-reasoning-vision, Qwen2.5-VL.

    Its tower, decoder, tokenizer, image rule and system text are taken as they are.
    """

    kind: Literal["pretrained"] = "pretrained"
    max_image_tokens: int | None = Field(None, ge=1)
    """Images are scaled down to this many tokens where the published rule would give more."""


ModelOptions = Annotated[
    BuildModel | CheckpointModel | PretrainedModel, Field(discriminator="kind")
]
