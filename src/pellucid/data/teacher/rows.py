"""What a job made, as files: LLaVA rows, their pictures, verdicts, a label.

    rows.jsonl              rows that `llava_json` imports; `lineage.calls` are keys of the ledger
    rows-images/            their pictures, each once, named by hash
    rows.verdicts.jsonl     one line for each reply: outcome, score, votes, kept or why not
    rows.teach.json         what it was made with, and the counts

All of it depends on the store, the settings and the ledger alone.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.paths import atomic, write_bytes, write_json
from pellucid.data.llava.write import write_turns
from pellucid.data.teacher.base import Made, NewRow
from pellucid.endpoint.wire import mime
from pellucid.schema.record import Record

_ENDINGS = {"image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "image/bmp": "bmp"}


@dataclass(frozen=True, slots=True)
class One:
    """What came of one record."""

    record: Record
    made: Made
    keys: Sequence[str]
    """Of the calls of the job, in their order."""
    judges: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Keys of the judge's calls, by the call that they are about."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What stands in the files."""

    rows: int
    records: int
    reasons: Mapping[str, int]
    """Replies by what became of them."""


def sidecar(to: Path, name: str) -> Path:
    """A file beside the rows: `verdicts.jsonl` or `teach.json`."""
    return to.with_name(f"{to.stem}.{name}")


def check_target(to: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to write over rows that something else made.

    Raises:
        UserError: the name is no JSON-lines file, or the file is not of these settings.
    """
    if to.suffix != ".jsonl":
        raise UserError(Problem("--to", str(to), "is no JSON-lines file", "end it in .jsonl"))
    if to.is_dir():
        raise UserError(Problem("--to", str(to), "is a folder", "name a file"))
    if not to.exists():
        return
    path = sidecar(to, "teach.json")
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        rule = "exists, and was not written by this command"
        raise UserError(Problem("--to", str(to), rule, "name another file")) from None
    told = json.loads(json.dumps(settings))
    changed = sorted(name for name in {*told, *before} if told.get(name) != before.get(name))
    if changed:
        rule = f"holds rows that were made with another {', '.join(changed)}"
        raise UserError(Problem("--to", str(to), rule, "name another file"))


def write_rows(
    to: Path,
    made: Iterable[One],
    settings: Mapping[str, Any],
    step: Mapping[str, Any],
    image: Callable[[str], bytes],
    terms: str = "",
) -> Wrote:
    """Write rows, pictures, verdicts and the facts about them; the rows come last.

    Args:
        to: the file of the rows.
        made: what came of each record, in the order of the store.
        settings: what it was made with.
        step: `op`, `version` and `params_hash` of the lineage.
        image: gives the encoded bytes of a hash.
        terms: licence of the answers, joined to that of the records.
    """
    reasons: Counter[str] = Counter()
    once: set[str] = set()
    names: dict[str, str] = {}
    rows = records = 0
    verdicts = sidecar(to, "verdicts.jsonl")
    with boundary("writing the rows"), atomic(to) as draft, atomic(verdicts) as judged:
        with draft.open("wb") as file, judged.open("wb") as other:
            for one in made:
                records += 1
                for verdict in _verdicts(one):
                    other.write(_line(verdict))
                    reasons[verdict["reason"]] += 1
                for number, new in enumerate(one.made.rows):
                    if new.once and new.once in once:
                        continue
                    once.add(new.once)
                    for sha256 in new.images:
                        if sha256 not in names:
                            names[sha256] = _picture(to, sha256, image(sha256))
                    file.write(_line(_row(one, number, new, names, step, terms)))
                    rows += 1
        count = Wrote(rows, records, dict(sorted(reasons.items())))
        told = {
            "settings": settings,
            "rows": rows,
            "records": records,
            "verdicts": count.reasons,
            "rows_sha256": hash_file(draft),
        }
        write_json(sidecar(to, "teach.json"), told)
    return count


def _row(
    one: One,
    number: int,
    new: NewRow,
    names: Mapping[str, str],
    step: Mapping[str, Any],
    terms: str,
) -> dict[str, Any]:
    """A row as `llava_json` reads it."""
    source = one.record.source
    images = [names[sha256] for sha256 in new.images]
    licence = f"({source.licence}) AND ({terms})" if terms else source.licence
    keys = [one.keys[call] for call in new.calls]
    keys += [key for call in new.calls for key in one.judges.get(call, ())]
    row: dict[str, Any] = {
        "id": f"{one.record.id}-{step['op'].removeprefix('teach.')}-{number}",
        "image": images[0] if len(images) == 1 else images or None,
        "conversations": write_turns(new.messages, len(images)),
        "task": new.task or None,
        "domain": one.record.domain or None,
        "group": source.group or one.record.id,
        "split": source.split,
        "licence": licence or None,
        "answer": _answer(new.answer),
        "lineage": {**step, "parents": [one.record.id], "calls": keys},
    }
    return {name: value for name, value in row.items() if value is not None}


def _answer(answer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in answer.items() if value} if answer else None


def _verdicts(one: One) -> Iterable[dict[str, Any]]:
    for verdict in one.made.verdicts:
        keys = one.keys if verdict.call < 0 else [one.keys[verdict.call]]
        yield {
            "id": one.record.id,
            "calls": list(keys),
            "outcome": verdict.outcome,
            "kept": verdict.kept,
            "reason": verdict.reason,
            "score": verdict.score,
            "votes": list(verdict.votes),
            "judge_calls": list(one.judges.get(verdict.call, ())),
            "text": verdict.text,
        }


def _picture(to: Path, sha256: str, data: bytes) -> str:
    """Write a picture once; its name relative to the rows."""
    name = f"{to.stem}-images/{sha256[:2]}/{sha256}.{_ENDINGS.get(mime(data), 'png')}"
    path = to.parent / name
    if not path.exists():
        write_bytes(path, data)
    return name


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
