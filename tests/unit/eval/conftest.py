"""Twelve questions on six pictures, and a generator that answers them from a table.

Question n asks for a number. Thinking is right unless 3 divides n, and is cut off for n = 5;
answering directly is right for even n, and the generator breaks down on n = 9; `auto` thinks when
n % 4 < 2.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pellucid import store
from pellucid.base.hashing import hash_json
from pellucid.recipe.eval import EvalOptions, StoreTask
from pellucid.schema.record import Answer, Part, Record, Source, Turn, assistant, make_record, user
from pellucid.schema.rollout import Request, Rollout

COUNT = 12


def png(red: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (16, 16), (red, 90, 20)).save(out, "PNG")
    return out.getvalue()


def question(writer: store.Writer, n: int, **changes: Any) -> Record:
    picture = writer.image(png(n // 2))
    given: dict[str, Any] = {
        "messages": (user(0, f"What is {n}?"), assistant(str(n))),
        "images": (picture,),
        "answer": Answer("number", str(n)),
        "task": "count" if n < 6 else "sum.v2",
        "domain": "charts",
        "source": Source("set", "test", n, "CC0-1.0", group=f"picture {n // 2}"),
        "difficulty": n / COUNT,
        **changes,
    }
    return make_record(**given)


def build_store(folder: Path) -> None:
    """Twelve test questions, one for training, and three odd ones: no gold, pictures in answers."""
    writer = store.Writer(folder)
    records = [question(writer, n) for n in range(COUNT)]
    records.append(question(writer, 20, source=Source("set", "train", 20, "CC0-1.0", group="t")))
    odd = [Source("set", "validation", n, "CC0-1.0") for n in (21, 22, 23)]
    records.append(question(writer, 21, answer=None, source=odd[0]))
    shown = (writer.image(png(200)), writer.image(png(201)))
    turns = (
        user("Hello"),
        Turn("assistant", (Part("image", image=0), Part("text", "Hi")), "nothink"),
        user(1, "What is 22?"),
        Turn("assistant", (Part("text", "22"), Part("image", image=0)), "nothink"),
    )
    records.append(question(writer, 22, messages=turns, images=shown, source=odd[1]))
    swapped = (
        user(1, "What is 23?"),
        Turn("assistant", (Part("text", "23"), Part("image", image=0)), "nothink"),
    )
    records.append(question(writer, 23, messages=swapped, images=shown, source=odd[2]))
    writer.shard("all", records)
    writer.finish()


class TableGenerator:
    """Answers by question number and mode. Notes how many requests each call had."""

    model_id = "table"

    def __init__(self, answers: dict[tuple[int, str], str] | None = None) -> None:
        self.answers = answers or {}
        self.calls: list[int] = []
        self.asked: list[str] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Rollout]:
        self.calls.append(0)
        for request in requests:
            self.calls[-1] += 1
            self.asked.append(request.id)
            yield self.answer(request)

    def answer(self, request: Request) -> Rollout:
        assert all(data.startswith(b"\x89PNG") for data in request.images)
        n = int(request.messages[-1].text.removeprefix("What is ").removesuffix("?"))
        think = request.mode == "think" or (request.mode == "auto" and n % 4 < 2)
        right = n % 3 != 0 if think else n % 2 == 0
        answer: str | None = self.answers.get((n, request.mode), str(n if right else n + 1))
        cut, broken = think and n == 5, request.mode == "nothink" and n == 9
        if cut or broken:
            answer = None
        thinking = f"{n} is {n}" if think else None
        tokens = 0 if broken else 10 + n if think else 2
        return Rollout(
            request_id=request.id,
            mode=request.mode,
            chosen=None if broken else "think" if think else "nothink",
            prompt_hash=hash_json([n, request.mode]),
            prompt_tokens=7,
            token_ids=tuple(range(tokens)),
            logprobs=(0.0,) * tokens,
            text="" if broken else f"<think>{thinking}</think>{answer}",
            thinking=thinking,
            answer=answer,
            outcome="failed" if broken else "truncated" if cut else "answered",
            finish_reason="error" if broken else "length" if cut else "stop",
            thinking_tokens=8 if think else 0,
            latency_s=0.5,
            error="out of order" if broken else "",
        )


def make_options(**changes: Any) -> EvalOptions:
    given = {"tasks": {"charts": StoreTask(source="set")}, "chunk_items": 5, "latency_items": 2}
    return EvalOptions(**{**given, **changes})


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, store.Store]:
    folder = tmp_path_factory.mktemp("store")
    build_store(folder)
    return {"set": store.open(folder)}


@pytest.fixture
def table() -> type[TableGenerator]:
    return TableGenerator


@pytest.fixture
def options() -> Any:
    return make_options


@pytest.fixture(scope="session")
def finished(stores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole evaluation."""
    from pellucid.eval.run import evaluate

    folder = tmp_path_factory.mktemp("eval")
    evaluate(make_options(), stores, TableGenerator(), "long", "c" * 64, folder)
    return folder
