"""Checks of what looks at records: operators and tasks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from pellucid import store as stores
from pellucid.base.hashing import hash_bytes
from pellucid.base.own import FAILS
from pellucid.data.ops.own import Pictures, checked
from pellucid.eval.tasks.python import Ask, asks
from pellucid.recipe.own import ColumnKind
from pellucid.schema.record import (
    Answer,
    ImageRef,
    Part,
    Record,
    Source,
    Split,
    Turn,
    make_record,
)
from pellucid.store import Store
from pellucid.testing.base import Function, called_by, refuse

MOST = 200
"""Records of a store that a check looks at."""

Case = tuple[str, Record, Sequence[Image.Image]]
"""What it is, the record, its pictures."""

A = TypeVar("A")
B = TypeVar("B")


def check_op(
    function: Function,
    *,
    gives: Mapping[str, ColumnKind] | None = None,
    store: str | Path | None = None,
    **options: Any,
) -> None:
    """An operator `(record, images, **options)` gives its columns' values or None.

    Asked twice, for labels are made once, by whoever comes first.

    Args:
        function: what is checked.
        gives: its columns and what stands in each, as in a recipe; one number when absent.
        store: a store's folder, whose first records it is called with; when absent, records of
            every kind: with no, one and two pictures, with and without a gold.
        options: keyword arguments of the function.

    Raises:
        AssertionError: it does not; all faults are listed.
        UserError: there is no such function or store.
    """
    called = called_by(function)
    columns: Mapping[str, ColumnKind] = gives or {"value": "number"}

    def said(record: Record, images: Sequence[Image.Image]) -> Any:
        return checked(called(record, images, **options), columns)

    refuse(called, looked(_cases(store), said)[0])


def check_task(
    function: Function, *, store: str | Path | None = None, split: Split = "test", **options: Any
) -> int:
    """A task `(record, **options)` gives questions with their answers, or nothing.

    Args:
        function: what is checked.
        store: a store's folder, whose first records of the split it is called with; when absent,
            records of every kind.
        split: of the store's records.
        options: keyword arguments of the function.

    Returns:
        How many questions it gave.

    Raises:
        AssertionError: it does not, or of a store's records it asks nothing; all faults are listed.
        UserError: there is no such function or store.
    """
    called = called_by(function)

    def said(record: Record, images: Sequence[Image.Image]) -> list[Ask]:
        return asks(called(record, **options), record)

    faults, said_of = looked(_cases(store, split), said)
    found = [ask for told in said_of for ask in told]
    if store is not None and not faults and not found:
        faults.append("it asks nothing; a run refuses a task without a question")
    refuse(called, faults)
    return len(found)


def looked(
    cases: Iterable[tuple[str, A, B]], said: Callable[[A, B], Any]
) -> tuple[list[str], list[Any]]:
    """What is wrong with a function, asked twice about every case, and what it said where it was
    not.

    Args:
        cases: what each is, and what the function is called with.
        said: the call, with its result checked: it raises ValueError for what may not be said.
    """
    faults, found = list[str](), list[Any]()
    for case in cases:
        broken, told = _asked_twice(case, said)
        faults += broken
        found += [] if broken else [told]
    return faults, found


def cases_of(opened: Store, most: int, split: Split | None = None) -> Iterator[Case]:
    """The first records of a store, as they lie there."""
    for record in islice(opened.stream(split), most):
        yield f"record {record.id}", record, Pictures(record, opened.image)


def _asked_twice(case: tuple[str, A, B], said: Callable[[A, B], Any]) -> tuple[list[str], Any]:
    """What is wrong with one call, and what it gave."""
    name, asked, known = case
    try:
        one, two = said(asked, known), said(asked, known)
    except ValueError as error:
        return [f"{name}: {error}"[:200]], None
    except FAILS as error:
        return [f"{name}: raised {type(error).__name__}: {error}"[:200]], None
    if one != two:
        return [f"{name}: {one!r}, and {two!r} when asked again"[:200]], None
    return [], one


def _cases(store: str | Path | None, split: Split | None = None) -> Iterable[Case]:
    return _made() if store is None else cases_of(stores.open(Path(store)), MOST, split)


def _made() -> Iterable[Case]:
    """Records of every kind that importers make."""
    wide, high = Image.new("RGB", (64, 32), "white"), Image.new("RGB", (9, 30), (200, 10, 10))
    dot = Image.new("RGB", (1, 1), "black")
    number, choice = Answer("number", "7"), Answer("choice", "B", ("seven",))
    bars = {"family": "charts", "bars": [{"label": "ant", "value": 7}]}
    box = Answer("box", "[0.1000, 0.2000, 0.3000, 0.4000]")
    yield _case("a picture", (wide,), number)
    yield _case("a picture with facts", (wide,), number, evidence=bars)
    yield _case("two pictures", (wide, high), choice)
    yield _case("a picture of one pixel", (dot,), box)
    yield _case("no picture", (), Answer("text", "seven"))
    yield _case("no gold", (wide,), None)
    yield _case("thinking", (wide,), number, thinking="Three and four.")
    yield _case("several turns", (wide,), number, turns=3)
    yield _case("foreign letters", (wide,), Answer("text", "七"), asked="七 · é · 🎈?")
    yield _case("a long question", (wide,), number, asked="How many? " * 5000)
    yield _case("no words", (wide,), number, asked="")


def _case(
    name: str,
    pictures: Sequence[Image.Image],
    gold: Answer | None,
    *,
    asked: str = "How many bars are there?",
    thinking: str | None = None,
    turns: int = 1,
    evidence: Mapping[str, Any] | None = None,
) -> Case:
    refs = tuple(_ref(picture) for picture in pictures)
    shown = tuple(Part("image", image=at) for at in range(len(refs)))
    reply = gold.gold if gold else "A chart."
    said = [Turn("user", (*shown, Part("text", asked)))]
    for _ in range(turns - 1):
        said += [
            Turn("assistant", (Part("text", reply),), "nothink"),
            Turn("user", said[0].content[-1:]),
        ]
    mode = "nothink" if thinking is None else "think"
    said.append(Turn("assistant", (Part("text", reply),), mode, thinking))  # type: ignore[arg-type]
    record = make_record(
        messages=tuple(said),
        images=refs,
        answer=gold,
        task="vqa",
        domain="real",
        source=Source("check", "test", 0, "CC0-1.0"),
        evidence=evidence or {},
    )
    return name, record, tuple(pictures)


def _ref(picture: Image.Image) -> ImageRef:
    out = BytesIO()
    picture.save(out, "PNG")
    return ImageRef(hash_bytes(out.getvalue()), *picture.size)
