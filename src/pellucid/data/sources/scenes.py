"""Records drawn by a scene generator: one scene per seed, several records per scene."""

from collections.abc import Iterator
from pathlib import Path

from pellucid.base.hashing import hash_json
from pellucid.base.lookup import pick
from pellucid.base.progress import Progress
from pellucid.data.splits import deal
from pellucid.data.synth import FAMILIES, Item, Scene
from pellucid.recipe.data import ScenesSource
from pellucid.schema.record import (
    ImageRef,
    LineageStep,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
    user,
)
from pellucid.store import Writer

VERSION = 1
SHARD_SCENES = 50


def version(options: ScenesSource) -> int:
    """The importer's version and the family's, in one number."""
    return VERSION * 1000 + FAMILIES[options.scene.kind].version


def input_hashes(options: ScenesSource) -> dict[str, str]:
    """Nothing is read: options and seed decide every byte."""
    return {}


def build(name: str, options: ScenesSource, seed: int, folder: Path) -> None:
    """Draw `options.scenes` scenes into a store.

    Args:
        name: name of the source, kept as the records' dataset.
        options: family, count, first scene seed, shares of the splits.
        seed: seed of the splits.
        folder: the store; shards that a killed run finished are not drawn again.
    """
    writer, progress = Writer(folder), Progress(f"data.{name}", options.scenes)
    for first in range(0, options.scenes, SHARD_SCENES):
        shard = f"shard-{first // SHARD_SCENES:06d}"
        count = min(SHARD_SCENES, options.scenes - first)
        if not writer.done(shard):
            seeds = range(options.seed + first, options.seed + first + count)
            records = [
                record
                for scene_seed in seeds
                for record in _records(name, options, seed, scene_seed, writer)
            ]
            writer.shard(shard, records)
        progress.at(first + count, "scenes")
    writer.finish()


def _records(
    name: str, options: ScenesSource, seed: int, scene_seed: int, writer: Writer
) -> Iterator[Record]:
    """The records of one scene; they share its pictures, its group and so its split."""
    kind = options.scene.kind
    family = pick(FAMILIES, kind, f"data.sources.{name}.scene.kind")
    scene = family.draw(options.scene, scene_seed)
    images = tuple(writer.image(picture.png) for picture in scene.pictures)
    group = f"{kind}:{scene_seed}"
    source = Source(
        dataset=name,
        config=kind,
        split=deal(seed, group, options.split),
        row=scene_seed,
        licence=options.licence,
        group=group,
    )
    params = {"scene": options.scene.model_dump(mode="json"), "seed": scene_seed}
    step = LineageStep(f"synth.{kind}", family.version, hash_json(params))
    for item in scene.items:
        yield _record(scene, item, images, source, step)


def _record(
    scene: Scene, item: Item, images: tuple[ImageRef, ...], source: Source, step: LineageStep
) -> Record:
    turns: list[Turn] = []
    for number, ask in enumerate(item.asks):
        shown = range(len(item.pictures)) if number == 0 else ()
        turns += [user(*shown, ask.question), assistant(ask.reply, ask.reasoning)]
    return make_record(
        messages=tuple(turns),
        images=tuple(images[index] for index in item.pictures),
        answer=item.answer,
        task=item.task,
        domain=source.config,
        source=source,
        evidence=scene.facts,
        lineage=(step,),
    )
