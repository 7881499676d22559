"""Records drawn by a scene generator: one scene per seed, several records per scene.

A told scene gives text alone: its caption stands in the question in the picture's place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.base.hashing import hash_json
from pellucid.base.lookup import pick
from pellucid.base.progress import Progress
from pellucid.data.sources.base import SourceKind
from pellucid.data.splits import deal
from pellucid.data.synth import FAMILIES, Ask, Family, Item, Scene
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

VERSION = 3
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
    items = [
        item
        for item in (_told(family, scene) if options.told else scene.items)
        if not options.tasks or item.task in options.tasks
    ]
    shown = sorted({index for item in items for index in item.pictures})
    images = {index: writer.image(scene.pictures[index].png) for index in shown}
    group = f"{kind}:{scene_seed}"
    source = Source(
        dataset=name,
        config=kind,
        split=deal(seed, group, options.split),
        row=scene_seed,
        licence=options.licence,
        group=group,
    )
    scene_options = options.scene.model_dump(mode="json")
    params = {"scene": scene_options, "seed": scene_seed, "told": options.told}
    step = LineageStep(f"synth.{kind}", family.version, hash_json(params))
    for item in items:
        yield _record(scene, item, family.domain or _domain(item), images, source, step)


def _told(family: Family, scene: Scene) -> Iterator[Item]:
    """The items that the words of a caption answer, asked under these words.

    Of a quiz, the questions that the plain caption answers.
    """
    words = {item.task: item.asks[0].reply for item in scene.items}
    by = dict.fromkeys(family.from_caption, "caption")
    by |= dict.fromkeys(family.from_boxes, "grounded")
    for item in scene.items:
        if item.task == "quiz":
            pairs = zip(item.asks, item.tasks, strict=True)
            asks = [one for one, task in pairs if task in family.from_caption]
            yield _under(words["caption"], item, asks)
        elif item.pictures == (0,) and item.task in by:
            yield _under(words[by[item.task]], item, item.asks)


def _under(words: str, item: Item, asks: Sequence[Ask]) -> Item:
    """An item whose first question stands under some words, in the picture's place."""
    first, *rest = asks
    told = replace(first, question=f"{words}\n{first.question}")
    if told.direct:  # what it would list stands in the question
        told = replace(told, reasoning=None, direct=False)
    return replace(item, asks=(told, *rest), pictures=())


def _domain(item: Item) -> str:
    """`arithmetic` when the answer needs steps (sums, comparisons, hops), else `perception`."""
    last = item.asks[-1]
    return "arithmetic" if last.reasoning and not last.direct else "perception"


def _record(
    scene: Scene,
    item: Item,
    domain: str,
    images: Mapping[int, ImageRef],
    source: Source,
    step: LineageStep,
) -> Record:
    turns: list[Turn] = []
    for number, ask in enumerate(item.asks):
        shown = range(len(item.pictures)) if number == 0 else ()
        answered = assistant(ask.reply, ask.reasoning)
        if ask.direct:
            answered = replace(answered, mode="nothink")
        turns += [user(*shown, ask.question), answered]
    return make_record(
        messages=tuple(turns),
        images=tuple(images[index] for index in item.pictures),
        answer=item.answer,
        task=item.task,
        domain=domain,
        source=source,
        evidence=scene.facts,
        lineage=(step,),
    )


KIND = SourceKind(version, build, input_hashes)
