"""A small store, and a teacher that knows what it says: a function of the request alone."""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from tests.unit.endpoint.loopback import Act, Body, completion

from pellucid.schema.record import (
    Answer,
    ImageRef,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
    user,
)
from pellucid.store import Writer


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 16), (shade % 256, shade // 256, 7)).save(file, "PNG")
    return file.getvalue()


def record(
    row: int,
    turns: Sequence[Turn],
    answer: Answer | None,
    images: Sequence[ImageRef] = (),
    domain: str = "maths",
    task: str = "sum",
) -> Record:
    source = Source("sums", "train", row, "CC0-1.0", group=f"g{row}")
    return make_record(
        messages=tuple(turns), images=tuple(images), answer=answer, task=task, domain=domain,
        source=source,
    )  # fmt: skip


def make_store(folder: Path, count: int) -> Path:
    """Sums with a picture each; every fifth has no picture, every seventh no gold."""
    writer = Writer(folder)
    made = []
    for row in range(count):
        total = row + (row * 7) % 50
        images = [] if row % 5 == 0 else [writer.image(picture(row))]
        words = f"What is {row} plus {(row * 7) % 50}?"
        asked = user(0, words) if images else user(words)
        gold = None if row % 7 == 0 else Answer("number", str(total))
        made.append(record(row, (asked, assistant(str(total))), gold, images))
    writer.shard("a", made)
    writer.finish()
    return folder


def endpoint_file(path: Path, *urls: str, **changes: Any) -> Path:
    told = {
        "base_urls": list(urls), "model": "fake", "max_tokens": 50, "backoff_s": 0.01,
        "timeout_s": 20, **changes,
    }  # fmt: skip
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def words_of(body: Body) -> str:
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def teacher(_: int, body: Body) -> Act:
    """Adds, and errs, runs out of tokens or refuses, as the hash of the request says."""
    text = words_of(body)
    draw = int(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest(), 16)
    found = re.search(r"What is (\d+) plus (\d+)", text)
    if "VERDICT" in text:
        return Act(body=completion("Hm. VERDICT: " + ("wrong" if draw % 4 == 0 else "right")))
    if "Describe" in text:
        return Act(body=completion(f"A plain field of colour, 24 by 16, shade {draw % 999}."))
    if "Put this question" in text:
        plain = found and f"Tell me, please, what {found[1]} and {found[2]} make ({draw % 99}).."
        return Act(body=completion(plain or "?"))
    assert found, text
    total = int(found[1]) + int(found[2])
    if draw % 11 == 0:
        return Act(body=completion("I add the", "length"))
    if draw % 13 == 0:
        return Act(body=completion("", refusal="I would rather not"))
    said = total + 1 if draw % 5 == 0 else total
    steps = f"I take {found[1]} and add {found[2]}, way {draw % 97}."
    return Act(body=completion(f"{steps}\nAnswer: {said}"))
