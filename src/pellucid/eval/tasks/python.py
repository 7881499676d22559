"""Task `python`: questions that a function of the user's makes of one source's records.

    def asks(record):
        bars = record.evidence["bars"]
        yield {"question": "How many bars are there?",
               "answer": {"kind": "number", "gold": str(len(bars))}}

The function is called with each record of the split and the task's options, and gives what to ask
about it: nothing, one mapping, or several. The record's pictures are shown before the question, all
of them unless `images` lists some by their place; `system` is a system message. Equal records must
give equal questions. What is right is scored by the kind of the answer, or by a scorer of the
user's. Left out on purpose: questions of several turns, and pictures that no record has.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, get_args

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.base.own import FAILS, own_code, shown, takes
from pellucid.eval.tasks.base import Item, check_kinds, drawn, most_frequent, own_of
from pellucid.recipe.eval import PythonTask
from pellucid.schema.record import Answer, AnswerKind, Part, Record, Turn
from pellucid.score import scorer_for
from pellucid.store import Store

VERSION = 1
_KINDS: tuple[str, ...] = get_args(AnswerKind)
_FIELDS = ("question", "answer", "images", "system")
_ANSWER = ("kind", "gold", "aliases", "tolerance")


class Ask(NamedTuple):
    """One question about a record."""

    question: str
    answer: Answer
    images: tuple[int, ...]
    """Places of the record's pictures that are shown."""
    system: str = ""


def code(task: str, options: PythonTask) -> dict[str, str]:
    """What decides the questions beside the options: the function and the hash of its file.

    Raises:
        UserError: there is no such file or function, or it takes other arguments.
    """
    found = own_code(f"eval.tasks.{task}.path", options.path)
    function = options.path.rpartition(":")[2]
    takes(f"eval.tasks.{task}.options", function, found, 1, options.options)
    return {"code": found.hash, "function": function, "version": str(VERSION)}


def items(name: str, options: PythonTask, store: Store, seed: int) -> list[Item]:
    """Items of the task, in the order of the store; a larger limit only adds to them.

    Args:
        name: of the task.
        options: source, split, function.
        store: of the source.
        seed: chooses which items stay below the limit.

    Raises:
        UserError: the function is not there, fails on a record, gives what is no question, or gives
            none at all; no scorer checks an answer.
    """
    code(name, options)
    function = own_code(f"eval.tasks.{name}.path", options.path).function
    asked = list(_asked(name, options, function, store, options.split))
    if not asked:
        rule = f"asks nothing about the {options.split} records of {options.source}"
        fix = "let the function give a question, or choose another split"
        raise UserError(Problem(f"eval.tasks.{name}.path", _short(options), rule, fix))
    golds = [ask.answer for _, ask in asked]
    check_kinds(name, options, golds)
    own = own_of(name, options, golds)
    learnt = _asked(name, options, function, store, "train")
    guesses = most_frequent((record.task, ask.answer.gold) for record, ask in learnt)
    every, count = list[Item](), Counter[str]()
    for record, ask in asked:
        at = count[record.id]
        count[record.id] += 1
        every.append(
            Item(
                f"{name}/{record.id}.{at}" if at else f"{name}/{record.id}",
                replace(record, answer=ask.answer),
                _messages(ask),
                tuple(record.images[index] for index in ask.images),
                own or scorer_for(ask.answer)[1],
                guesses.get(record.task),
                options.picture == "blank",
                _made(ask),
            )
        )
    return drawn(every, options.limit, seed)


def asks(said: Any, record: Record) -> list[Ask]:
    """What a function gave for a record, as questions.

    Raises:
        ValueError: it is none; the text says what was wanted.
    """
    if said is None:
        return []
    if isinstance(said, Mapping):
        said = [said]
    if isinstance(said, (str, bytes)) or not isinstance(said, Iterable):
        raise ValueError(f"gave {shown(said)}, wanted a mapping with question and answer")
    found = [_ask(one, record) for one in said]
    for ask in found:
        texts = (ask.question, ask.system, ask.answer.gold, *ask.answer.aliases)
        if broken := next((text for text in texts if not _writable(text)), None):
            raise ValueError(f"gave {shown(broken)}, which holds half a letter (a lone surrogate)")
    return found


def _writable(text: str) -> bool:
    """Whether it can be written as UTF-8; half of a surrogate pair cannot."""
    with suppress(UnicodeEncodeError):
        text.encode()
        return True
    return False


def _ask(said: Any, record: Record) -> Ask:
    if not isinstance(said, Mapping):
        raise ValueError(f"gave {shown(said)}, wanted a mapping with question and answer")
    if unknown := sorted(str(name) for name in said if name not in _FIELDS):
        raise ValueError(f"gave a field {unknown[0]!r}; there are {', '.join(_FIELDS)}")
    question, system = said.get("question"), said.get("system", "")
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"gave question={shown(question)}, wanted a text")
    if not isinstance(system, str):
        raise ValueError(f"gave system={shown(system)}, wanted a text")
    asked = said.get("images", range(len(record.images)))
    places = tuple(asked) if isinstance(asked, (list, tuple, range)) else (None,)
    if not all(type(at) is int and 0 <= at < len(record.images) for at in places):
        rule = f"wanted places of its {len(record.images)} pictures"
        raise ValueError(f"gave images={shown(said.get('images'))}, {rule}")
    return Ask(question, _answer(said.get("answer")), places, system)


def _answer(said: Any) -> Answer:
    if not isinstance(said, Mapping) or said.get("kind") not in _KINDS:
        raise ValueError(f"gave answer={shown(said)}, wanted kind ({', '.join(_KINDS)}) and gold")
    if unknown := sorted(str(name) for name in said if name not in _ANSWER):
        raise ValueError(f"gave answer.{unknown[0]}; there are {', '.join(_ANSWER)}")
    gold, aliases, tolerance = said.get("gold"), said.get("aliases", ()), said.get("tolerance")
    if type(gold) in (int, float):
        gold = json.dumps(gold)
    if not isinstance(gold, str) or not gold.strip():
        raise ValueError(f"gave answer.gold={shown(gold)}, wanted a text or a number")
    if said["kind"] == "number" and not _is_number(gold):
        raise ValueError(f"gave answer.gold={shown(gold)}, wanted a number, as its kind says")
    if said["kind"] in ("box", "point") and not _is_box(gold):
        rule = "wanted [x1, y1, x2, y2] from 0 to 1 as JSON, as its kind says"
        raise ValueError(f"gave answer.gold={shown(gold)}, {rule}")
    if not isinstance(aliases, (list, tuple)) or not all(isinstance(one, str) for one in aliases):
        raise ValueError(f"gave answer.aliases={shown(aliases)}, wanted a list of texts")
    if tolerance is not None and not (type(tolerance) in (int, float) and 0 <= tolerance <= 1):
        raise ValueError(f"gave answer.tolerance={shown(tolerance)}, wanted a number from 0 to 1")
    return Answer(
        said["kind"], gold, tuple(aliases), None if tolerance is None else float(tolerance)
    )


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return abs(float(text)) < float("inf")
    return False


def _is_box(text: str) -> bool:
    with suppress(ValueError, TypeError, RecursionError):
        left, top, right, bottom = json.loads(text)
        return bool(0 <= left <= right <= 1 and 0 <= top <= bottom <= 1)
    return False


def _asked(
    name: str, options: PythonTask, function: Callable[..., Any], store: Store, split: Any
) -> Iterator[tuple[Record, Ask]]:
    """Every question about the records of a split; what the function does wrong is the user's."""
    for record in store.records(split=split, tasks=tuple(options.tasks)):
        try:
            found = asks(function(record, **options.options), record)
        except PellucidError:
            raise
        except ValueError as error:
            rule = f"{error} (record {record.id})"
        except FAILS as error:
            rule = f"raised {type(error).__name__} on record {record.id}: {error}"
        else:
            yield from ((record, ask) for ask in found)
            continue
        field = f"eval.tasks.{name}.path"
        raise UserError(Problem(field, _short(options), rule[:400], "mend the function"))


def _messages(ask: Ask) -> tuple[Turn, ...]:
    pictures = tuple(Part("image", image=at) for at in range(len(ask.images)))
    user = Turn("user", (*pictures, Part("text", ask.question)))
    return (Turn("system", (Part("text", ask.system),)), user) if ask.system else (user,)


def _made(ask: Ask) -> dict[str, Any]:
    """What a row keeps, so that it can be shown and scored again without the function."""
    answer = ask.answer
    return {
        "question": ask.question,
        "images": list(ask.images),
        "kind": answer.kind,
        "aliases": list(answer.aliases),
        "tolerance": answer.tolerance,
    }


def _short(options: PythonTask) -> str:
    return options.path.rpartition("/")[2]
