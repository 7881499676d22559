"""Tiny stores for tests: made by the public importer, or record by record."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from pellucid.data import build_source
from pellucid.recipe.rows import LlavaJsonSource
from pellucid.schema.record import Answer, Record, Source, assistant, make_record, user
from pellucid.store import Dropped, Writer


def png(red: int, width: int = 12, height: int = 8) -> bytes:
    """A small picture of one colour."""
    out = BytesIO()
    Image.new("RGB", (width, height), (red % 256, red // 256, 99)).save(out, "PNG")
    return out.getvalue()


def llava(number: int, **changes: object) -> dict[str, object]:
    """A LLaVA row with one picture of its own, or those that `image` names."""
    shown = changes.get("image", "")
    tags = "<image>" * (1 if isinstance(shown, str) else len(list(shown or [])))  # type: ignore[call-overload]
    return {
        "id": str(number),
        "image": f"{number}.png",
        "conversations": [
            {"from": "human", "value": f"{tags}\nHow many, {number}?"},
            {"from": "gpt", "value": f"{number}"},
        ],
        "answer": {"kind": "number", "gold": f"{number}"},
        "split": "train",
        **changes,
    }


def write_rows(folder: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A LLaVA file; every picture `<number>.png` that a row names is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        names = row.get("image") or []
        for name in [names] if isinstance(names, str) else list(names):  # type: ignore[call-overload]
            if name.removesuffix(".png").isdigit():
                number = int(name.removesuffix(".png"))
                (folder / name).write_bytes(png(number, 8 + number % 5))
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder / "rows.json"


def import_rows(file: Path, folder: Path, **options: object) -> Path:
    """The store that the public importer makes of a file; faulty rows go into the ledger."""
    given = {"path": str(file), "dataset": "own", "licence": "MIT", "on_fault": "drop"}
    source = LlavaJsonSource.model_validate({**given, **options})
    build_source("own", source, 0, folder)
    return folder


def record(row: int, said: str = "yes", split: str = "train", **changes: object) -> Record:
    """A record without images."""
    origin = Source("set", split, row, str(changes.pop("licence", "MIT")))  # type: ignore[arg-type]
    given = {
        "messages": (user(f"Is it {row}?"), assistant(said)),
        "images": (),
        "answer": Answer("text", said),
        "task": "ask",
        "domain": "tests",
        "source": origin,
        **changes,
    }
    return make_record(**given)  # type: ignore[arg-type]


def write_store(
    folder: Path, records: Sequence[Record], dropped: Sequence[Dropped] = (), shard_rows: int = 3
) -> Path:
    """A finished store, so many records a shard."""
    writer = Writer(folder)
    for number, first in enumerate(range(0, max(len(records), 1), shard_rows)):
        part = records[first : first + shard_rows]
        writer.shard(f"shard-{number:03d}", part, dropped if number == 0 else ())
    writer.finish()
    return folder
