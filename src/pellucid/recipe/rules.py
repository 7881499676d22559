"""Rules that cross fields: a recipe that cannot do what it says is refused, all at once.

Each rule is a generator of `Problem`s over a valid `Recipe`; a new rule is one more function in
`RULES`.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from pellucid.base.errors import Problem
from pellucid.base.lookup import unknown
from pellucid.recipe import gate_rules, held_out, mix_rules, rl_rules
from pellucid.recipe.data import PictureScene, SceneOptions
from pellucid.recipe.model import NewImageOptions, OneView, PythonImages, Weights
from pellucid.recipe.recipe import Recipe
from pellucid.recipe.train import Modules, Schedule, Stage

_HUB_NAME = re.compile(r"\w([\w.-]{0,94}\w)?/\w([\w.-]{0,94}\w)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def names(recipe: Recipe) -> Iterator[Problem]:
    """Every name that points somewhere points at something."""
    sources, mixes = recipe.data.sources, recipe.data.mixes
    for name, mix in mixes.items():
        for index, take in enumerate(mix.take):
            if take.source not in sources:
                yield unknown(f"data.mixes.{name}.take.{index}.source", take.source, sources)
    for index, stage in enumerate(recipe.train.stages):
        if stage.mix not in mixes:
            yield unknown(f"train.stages.{index}.mix", stage.mix, mixes)
        if stage.validation and stage.validation.mix not in mixes:
            yield unknown(f"train.stages.{index}.validation.mix", stage.validation.mix, mixes)
    if recipe.rl and recipe.rl.mix not in mixes:
        yield unknown("rl.mix", recipe.rl.mix, mixes)
    if recipe.rl and recipe.rl.probe and recipe.rl.probe.mix not in mixes:
        yield unknown("rl.probe.mix", recipe.rl.probe.mix, mixes)
    seen: set[str] = set()
    for index, stage in enumerate(recipe.train.stages):
        if stage.name in seen or stage.name in ("init", "rl", "final"):
            yield Problem(
                f"train.stages.{index}.name", stage.name, "is taken", "choose another name"
            )
        seen.add(stage.name)


def sources(recipe: Recipe) -> Iterator[Problem]:
    """Splits leave something to train on; a scene's ranges hold something."""
    for name, source in recipe.data.sources.items():
        at = f"data.sources.{name}"
        if source.kind == "store":
            continue  # its records have their splits
        if source.split.validation + source.split.test >= 1:
            given = {"validation": source.split.validation, "test": source.split.test}
            yield Problem(f"{at}.split", given, "leaves nothing to train on", "lower one of them")
        if source.kind != "scenes":
            continue
        scene = source.scene
        yield from _ranges(f"{at}.scene", scene)
        if scene.kind == "safety":
            yield from _ranges(f"{at}.scene.document", scene.document)
        if scene.kind == "charts" and scene.max_value < scene.max_bars:
            rule = f"gives fewer values than {at}.scene.max_bars={scene.max_bars} bars"
            fix = "raise the first or lower the second"
            yield Problem(f"{at}.scene.max_value", scene.max_value, rule, fix)


def _ranges(at: str, scene: SceneOptions) -> Iterator[Problem]:
    for least in (field for field in type(scene).model_fields if field.startswith("min_")):
        most = least.replace("min_", "max_", 1)
        low, high = getattr(scene, least), getattr(scene, most)
        if low > high:
            rule, fix = f"exceeds {at}.{most}={high}", "lower the first or raise the second"
            yield Problem(f"{at}.{least}", low, rule, fix)
    if isinstance(scene, PictureScene) and scene.on_grid:
        for field in ("min_side_px", "max_side_px"):
            if getattr(scene, field) % 16:
                rule = f"is not a multiple of 16, as {at}.on_grid asks"
                yield Problem(f"{at}.{field}", getattr(scene, field), rule, "round it")


def stages(recipe: Recipe) -> Iterator[Problem]:
    """Stages train something, for a stated batch, within the model's context."""
    context = recipe.model.decoder.context_tokens if recipe.model.kind == "build" else None
    for index, stage in enumerate(recipe.train.stages):
        at = f"train.stages.{index}"
        yield from _trains(f"{at}.modules", stage.modules)
        yield from _adapts(at, stage)
        yield from _warmup(f"{at}.schedule", stage.schedule)
        if stage.tower_features and stage.modules.vision is not None:
            rule = f"needs a tower that stays as it is, and {at}.modules.vision has a rate"
            fix = "leave one of them out"
            yield Problem(f"{at}.tower_features", stage.tower_features, rule, fix)
        if (stage.batch_records is None) == (stage.batch_tokens is None):
            given = {"batch_records": stage.batch_records, "batch_tokens": stage.batch_tokens}
            yield Problem(at, given, "needs exactly one batch size", "set one of the two")
        if stage.max_steps and stage.epochs != 1:
            rule, fix = (
                f"says another end than {at}.max_steps={stage.max_steps}",
                "give one of them",
            )
            yield Problem(f"{at}.epochs", stage.epochs, rule, fix)
        if stage.batch_tokens and stage.batch_tokens < stage.pack.max_tokens:
            yield Problem(
                f"{at}.batch_tokens",
                stage.batch_tokens,
                f"is under {at}.pack.max_tokens={stage.pack.max_tokens}",
                "raise the first or lower the second",
            )
        if context and recipe.model.kind == "build":
            most = recipe.model.images.most_patches(recipe.model.vision.patch_px)
            if stage.pack.max_patches < most:
                yield Problem(
                    f"{at}.pack.max_patches",
                    stage.pack.max_patches,
                    f"is under the {most} patches that model.images allows, so one image "
                    "could not fit",
                    "raise the first or lower the second",
                )


def _adapts(at: str, stage: Stage) -> Iterator[Problem]:
    """What has adapters has a rate."""
    rates = stage.modules.model_dump()
    for name, lora in stage.lora or ():
        if lora is not None and rates[name] is None:
            yield Problem(
                f"{at}.lora.{name}",
                lora.model_dump(),
                f"has no rate: {at}.modules.{name} is absent, so nothing of it is trained",
                f"give {at}.modules.{name}",
            )


def model(recipe: Recipe) -> Iterator[Problem]:
    """Heads divide widths; the context holds an image and an answer."""
    if recipe.model.kind == "pretrained":
        yield from _published("model", recipe.model)
    if recipe.model.kind != "build":
        return
    vision, decoder, images = recipe.model.vision, recipe.model.decoder, recipe.model.images
    for at, weights in (("vision", vision.weights), ("decoder", decoder.weights)):
        if weights:
            yield from _published(f"model.{at}.weights", weights)
    for at, width, heads in (
        ("model.vision", vision.width, vision.heads),
        ("model.decoder", decoder.width, decoder.heads),
    ):
        if width % heads:
            yield Problem(
                f"{at}.heads", heads, f"does not divide {at}.width={width}", "choose a divisor"
            )
        elif at == "model.decoder" and (width // heads) % 2:
            yield Problem(
                f"{at}.heads", heads, "gives an odd head size, which rotary positions cannot turn",
                "choose heads so that width / heads is even",
            )  # fmt: skip
    if decoder.heads % decoder.kv_heads:
        yield Problem(
            "model.decoder.kv_heads",
            decoder.kv_heads,
            f"does not divide model.decoder.heads={decoder.heads}",
            "choose a divisor",
        )
    if -vision.feature_layer > vision.layers:
        yield Problem(
            "model.vision.feature_layer",
            vision.feature_layer,
            f"reaches before the first of model.vision.layers={vision.layers}",
            "choose a layer nearer to -1",
        )
    yield from _images(images, vision.patch_px)
    tokens = images.most_tokens(vision.patch_px)
    if tokens + recipe.eval.max_new_tokens >= decoder.context_tokens:
        yield Problem(
            "model.decoder.context_tokens",
            decoder.context_tokens,
            f"cannot hold an image of {tokens} tokens and an answer of "
            f"eval.max_new_tokens={recipe.eval.max_new_tokens}",
            "raise it, or lower one of the two",
        )


def _published(at: str, model: Weights) -> Iterator[Problem]:
    """A folder, or a commit on the hub."""
    if (model.path is None) == (model.hub is None):
        given = {"path": model.path, "hub": model.hub}
        rule, fix = "needs exactly one place that the model comes from", "set one of the two"
        yield Problem(at, given, rule, fix)
    elif model.hub is not None and not _hub_name(model.hub):
        yield Problem(f"{at}.hub", model.hub, "is no name on a hub", "write owner/name")
    elif model.hub is not None and not _COMMIT.fullmatch(model.revision or ""):
        rule = "is no commit, and a branch may move: the run would not say what it started from"
        fix = "give the 40 digits that the model's page shows beside its files"
        yield Problem(f"{at}.revision", model.revision, rule, fix)
    elif model.path is not None and model.revision is not None:
        rule, fix = f"belongs to {at}.hub", "take it away"
        yield Problem(f"{at}.revision", model.revision, rule, fix)


def _hub_name(name: str) -> bool:
    """Whether it can be one, by the hub's own rules."""
    return bool(_HUB_NAME.fullmatch(name)) and "--" not in name and ".." not in name


def _images(images: NewImageOptions, patch_px: int) -> Iterator[Problem]:
    """Budgets in order; whole patches, tiles and squares; one crop or tile within the budget."""
    if images.kind == "dynamic" and images.min_patches > images.max_patches:
        yield Problem(
            "model.images.min_patches",
            images.min_patches,
            f"exceeds model.images.max_patches={images.max_patches}",
            "lower the first or raise the second",
        )
    if isinstance(images, OneView | PythonImages):
        return
    if images.kind == "multi_crop":
        field, side, least, unit = "crop_px", images.crop_px, images.crop_px, "crop"
    elif images.kind == "dynamic_s2":
        field, side, least, unit = "tile_px", images.tile_px, images.tile_px, "tile"
    else:
        field, side, least, unit = "tile_px", images.tile_px, images.scales_px[0], "square"
    if side % patch_px:
        rule = f"is no multiple of model.vision.patch_px={patch_px}"
        yield Problem(f"model.images.{field}", side, rule, "choose a multiple")
    elif images.kind != "s2" and (each := (least // patch_px) ** 2) > images.max_tokens:
        rule = f"is under the {each} tokens of one {unit}"
        yield Problem("model.images.max_tokens", images.max_tokens, rule, "raise it")
    if images.kind != "multi_crop":
        yield from _squares(images.scales_px, side)
    if images.kind == "multi_crop_s2" and images.crop_px < images.scales_px[0]:
        rule = f"is under the smallest square, model.images.scales_px={list(images.scales_px)}"
        yield Problem("model.images.crop_px", images.crop_px, rule, "raise it")


def _squares(sides: Sequence[int], tile: int) -> Iterator[Problem]:
    """Squares of whole tiles, each larger than the one before."""
    if any(side % tile for side in sides):
        rule = f"are not all multiples of model.images.tile_px={tile}"
        yield Problem("model.images.scales_px", list(sides), rule, "choose multiples")
    elif list(sides) != sorted(set(sides)):
        rule, fix = "do not rise", "begin with the smallest, and name none twice"
        yield Problem("model.images.scales_px", list(sides), rule, fix)


def evaluation(recipe: Recipe) -> Iterator[Problem]:
    """A shortened context holds an image and an answer, and is no longer than the model's."""
    short = recipe.eval.context_tokens
    if short is None:
        return
    at, answer = "eval.context_tokens", recipe.eval.max_new_tokens
    least, most = answer, None
    if recipe.model.kind == "build":
        tokens = recipe.model.images.most_tokens(recipe.model.vision.patch_px)
        least, most = answer + tokens, recipe.model.decoder.context_tokens
    if short <= least:
        rule = f"leaves no room for a question beside eval.max_new_tokens={answer}"
        yield Problem(at, short, rule, f"raise it over {least}, or leave it out")
    if most and short > most:
        rule = f"exceeds model.decoder.context_tokens={most}"
        yield Problem(at, short, rule, "lower it, or leave it out")


def rl(recipe: Recipe) -> Iterator[Problem]:
    """The RL settings can act as they say (rule 6 of the design)."""
    options = recipe.rl
    if options is None:
        return
    if options.updates_per_batch < 2:
        yield Problem(
            "rl.updates_per_batch",
            options.updates_per_batch,
            "leaves the ratio at exactly 1, so the clip can never act",
            "set 2 or more",
        )
    if options.top_p != 1.0:
        yield Problem(
            "rl.top_p",
            options.top_p,
            "truncates the sampling distribution, which biases the ratio",
            "set 1.0",
        )
    for field in ("clip_low", "clip_high"):
        value = getattr(options.objective, field)
        if value > 0.01:
            yield Problem(
                f"rl.objective.{field}",
                value,
                "is a GRPO-size epsilon; a length-normalised sequence ratio never gets that far",
                "use the paper's 3e-4 / 4e-4, or a value up to 0.01",
            )
    groups = options.prompts_per_batch
    if groups % options.updates_per_batch:
        yield Problem(
            "rl.updates_per_batch",
            options.updates_per_batch,
            f"does not divide rl.prompts_per_batch={groups}, and a group is never split",
            "choose a divisor",
        )
    overlong = options.rewards.overlong
    if overlong and overlong.buffer_tokens > options.max_new_tokens:
        yield Problem(
            "rl.rewards.overlong.buffer_tokens",
            overlong.buffer_tokens,
            f"exceeds rl.max_new_tokens={options.max_new_tokens}",
            "lower the first",
        )
    yield from rl_rules.prompts(recipe, options)
    yield from _trains("rl.modules", options.modules)
    yield from _warmup("rl.schedule", options.schedule)


def _trains(field: str, modules: Modules) -> Iterator[Problem]:
    if not any(rate for rate in modules.model_dump().values()):
        yield Problem(field, {}, "trains nothing", "give at least one module a learning rate")


def _warmup(field: str, schedule: Schedule) -> Iterator[Problem]:
    if schedule.warmup_steps is not None and schedule.warmup_share is not None:
        given = {"warmup_steps": schedule.warmup_steps, "warmup_share": schedule.warmup_share}
        yield Problem(field, given, "gives the warm-up twice", "set one of the two")


RULES: tuple[Callable[[Recipe], Iterator[Problem]], ...] = (
    names,
    sources,
    mix_rules.mixes,
    model,
    evaluation,
    stages,
    held_out.stages,
    rl,
    gate_rules.tasks,
    gate_rules.gate,
    gate_rules.independent,
)


def conflicts(recipe: Recipe) -> list[Problem]:
    """Every broken rule of a recipe."""
    return [problem for rule in RULES for problem in rule(recipe)]
