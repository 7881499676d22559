"""`pellucid data dedup`: which records, texts and pictures are the same."""

from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.options import DEFAULT_HOME, Home, Json, one_thread_each
from pellucid.cli.show import print_fields, print_json, print_wrapped

if TYPE_CHECKING:
    from pellucid.data.duplicates.cosine import Cosine

Stores = Annotated[
    list[str], typer.Argument(help="Stores' folders, runs, or RUN:SOURCE.", metavar="STORE...")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, help="How many shards at a time.", metavar="N")
]
RunnerName = Annotated[
    str, typer.Option("--runner", help="local (processes) or ray.", metavar="NAME")
]

EmbeddingName = Annotated[
    str | None,
    typer.Option(
        "--embedding",
        help="Function in a Python file that makes vectors of questions.",
        metavar="FILE.py:FUNCTION",
    ),
]
Alike = Annotated[
    float,
    typer.Option(
        "--alike", min=0.0, max=1.0, help="Least cosine of two questions that are one.",
        metavar="X",
    ),
]  # fmt: skip
ImageEmbeddingName = Annotated[
    str | None,
    typer.Option(
        "--image-embedding",
        help="Function in a Python file that makes vectors of pictures.",
        metavar="FILE.py:FUNCTION",
    ),
]
ImageAlike = Annotated[
    float,
    typer.Option(
        "--image-alike", min=0.0, max=1.0, metavar="X",
        help="Least cosine of two pictures that are compared because of their vectors.",
    ),
]  # fmt: skip
Crops = Annotated[
    bool,
    typer.Option(
        "--crops/--no-crops",
        help="Also find crops of pictures, which takes most of the time.",
    ),
]


def dedup(
    stores: Stores,
    workers: Workers = 1,
    runner: RunnerName = "local",
    embedding: EmbeddingName = None,
    alike: Alike = 0.9,
    image_embedding: ImageEmbeddingName = None,
    image_alike: ImageAlike = 0.9,
    crops: Crops = True,
    json_: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Find duplicates over all STOREs and write them as labels; nothing is removed.

    Each store gets labels/duplicates@2 with the columns image_cluster, text_cluster and
    vqa_cluster (pictures, question and gold). A killed call goes on where it was.

    Example: pellucid data dedup smoke:charts my-store --workers 2
    """
    one_thread_each()
    from dataclasses import asdict

    from pellucid.data.duplicates.build import find_duplicates
    from pellucid.data.questions.embedding import Embedding
    from pellucid.flow.named import folders_of

    folders = folders_of(home, stores)
    own = Embedding(embedding, alike) if embedding else None
    cosine = by_cosine(image_embedding, image_alike)
    found = find_duplicates(folders, runner, workers, embedding=own, crops=crops, cosine=cosine)
    if json_:
        print_json(asdict(found))
        return
    print_fields({name.replace("_", " "): value for name, value in asdict(found).items()})
    print_wrapped("labels:", ", ".join(str(one / "labels" / "duplicates@2") for one in folders))


def by_cosine(where: str | None, alike: float) -> "Cosine | None":
    """What proposes pairs of pictures by vectors; None where no function is named.

    Raises:
        UserError: there is no such function.
    """
    from pellucid.data.duplicates.cosine import Cosine
    from pellucid.data.ops.image_embedding import image_embedding

    return Cosine(image_embedding(where), alike) if where else None
