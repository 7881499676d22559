"""`pellucid data decontaminate`: what of an evaluation set stands in training data."""

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.data.dedup import (
    Alike,
    EmbeddingName,
    ImageAlike,
    ImageEmbeddingName,
    RunnerName,
    Stores,
    Workers,
    by_cosine,
)
from pellucid.cli.options import DEFAULT_HOME, Home, Json, one_thread_each
from pellucid.cli.show import check_page, print_json, print_table, print_wrapped


def decontaminate(
    stores: Stores,
    against: Annotated[
        list[str],
        typer.Option("--against", help="Store of an evaluation set; repeatable.", metavar="STORE"),
    ],
    page: Annotated[
        Path | None, typer.Option("--page", help="Write the evidence as HTML.", metavar="FILE")
    ] = None,
    workers: Workers = 1,
    runner: RunnerName = "local",
    embedding: EmbeddingName = None,
    alike: Alike = 0.9,
    image_embedding: ImageEmbeddingName = None,
    image_alike: ImageAlike = 0.9,
    json_: Json = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Compare STOREs with evaluation sets and write verdicts as labels; nothing is removed.

    Each store gets labels/contamination@2: full, image+question, text only or image only, with the
    evaluation record and the evidence. Of an evaluation set the test records count, all where it
    has none.

    Example: pellucid data decontaminate my-store --against mmmu --page evidence.html
    """
    one_thread_each()
    from dataclasses import asdict

    from pellucid.data.contamination.build import find_contamination
    from pellucid.data.contamination.page import write_page
    from pellucid.data.questions.embedding import Embedding
    from pellucid.flow.named import folders_of

    folders, held = folders_of(home, stores), folders_of(home, against)
    if page:
        check_page(page)
    own = Embedding(embedding, alike) if embedding else None
    cosine = by_cosine(image_embedding, image_alike)
    found = find_contamination(folders, held, runner, workers, own, cosine)
    shown = write_page(folders, held, page) if page else 0
    if json_:
        print_json(asdict(found))
        return
    print(f"{found.records} records against {found.eval_records} evaluation records\n")
    print_table(("verdict", "records"), list(found.verdicts.items()))
    if found.by_dataset:
        print()
        print_table(("dataset", "records"), list(found.by_dataset.items()))
    print(f"\n{found.eval_found} evaluation records are repeated")
    print_wrapped("labels:", ", ".join(str(one / "labels" / "contamination@2") for one in folders))
    if page:
        print_wrapped("evidence:", f"{page} ({shown} records)")
