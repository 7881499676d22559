"""What `pellucid data show` prints about a record besides its rendered tokens."""

import json

from pellucid.schema.record import Record


def describe(record: Record) -> list[tuple[str, str]]:
    """Name and text of each fact of a record, in reading order."""
    source = record.source
    answer = record.answer
    where = [source.dataset, source.config, source.split, f"row {source.row}", source.group]
    pictures = [f"{ref.sha256[:12]} {ref.width} x {ref.height}" for ref in record.images]
    steps = [f"{step.op}@{step.version} {step.params_hash[:12]}" for step in record.lineage]
    facts = [
        ("record", record.id),
        ("task", f"{record.domain} / {record.task}"),
        ("source", ", ".join(part for part in where if part)),
        ("licence", source.licence),
        ("images", ", ".join(pictures) or "none"),
        ("gold", f"{answer.kind}: {answer.gold}" if answer else "none"),
    ]
    if answer and answer.aliases:
        facts.append(("aliases", ", ".join(answer.aliases)))
    facts.append(("lineage", ", ".join(steps) or "none"))
    if record.evidence:
        facts.append(("evidence", json.dumps(record.evidence, ensure_ascii=False)))
    return facts
