"""The evidence of contamination as one HTML file: both records side by side, with their pictures.

It stands alone: no script, no address outside the file. Leaves out on purpose: rows beyond
`most` of a verdict; their number is said, and the label file has them all.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from pellucid import store
from pellucid.base.errors import boundary
from pellucid.base.paths import write_text
from pellucid.data.contamination.build import OP, VERSION
from pellucid.data.contamination.match import VERDICTS
from pellucid.data.duplicates.pictures import thumbnail
from pellucid.store import Store

MOST = 100
"""Rows of a verdict that are shown."""
THUMBNAIL_PX = 200
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1c2430}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccd2da;padding:.5rem;
vertical-align:top;text-align:left}img{max-width:200px;border:1px solid #ccd2da;display:block}
td{width:50%;overflow-wrap:anywhere}small{color:#556}h2{margin-top:2.5rem}
@media (prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}small{color:#9aa5b1}
td,th,img{border-color:#3a434e}}
""".strip()


def write_page(
    folders: Sequence[Path], against: Sequence[Path], path: Path, most: int = MOST
) -> int:
    """Write the page from the labels of `find_contamination`.

    Args:
        folders: the training stores, labelled.
        against: the evaluation stores.
        path: the file.
        most: rows of a verdict that are shown.

    Returns:
        Rows that are shown.
    """
    found = sorted(
        (row for folder in folders for row in _hits(folder)),
        key=lambda row: (VERDICTS.index(row["verdict"]), row["eval_dataset"], row["id"]),
    )
    # Each by itself: what contaminates most stands in both under one id.
    stores = [store.open(one) for one in sorted({one.resolve() for one in (*folders, *against)})]
    parts, shown = [], 0
    for verdict in VERDICTS:
        rows = [row for row in found if row["verdict"] == verdict]
        parts.append(_section(verdict, rows, stores, most))
        shown += min(len(rows), most)
    counts = ", ".join(
        f"{sum(row['verdict'] == verdict for row in found)} {verdict}" for verdict in VERDICTS
    )
    names = ", ".join(one.name for one in against)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Contamination</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>Contamination by {escape(names)}</h1><p>{len(found)} records: {counts}.</p>"
        + "".join(parts)
        + "</html>\n"
    )
    with boundary("writing the evidence"):
        write_text(path, text)
    return shown


def _hits(folder: Path) -> list[dict[str, Any]]:
    table = store.read_label(folder, OP, VERSION)
    rows: list[dict[str, Any]] = table.filter(table["verdict"].is_valid()).to_pylist()
    return rows


def _section(
    verdict: str, rows: Sequence[Mapping[str, Any]], stores: Sequence[Store], most: int
) -> str:
    if not rows:
        return ""
    more = f" The first {most} are shown." if len(rows) > most else ""
    body = "".join(_row(row, stores) for row in rows[:most])
    return (
        f"<h2>{escape(verdict)}</h2><p>{len(rows)} records.{more}</p>"
        f"<table><tr><th>training record<th>evaluation record</tr>{body}</table>"
    )


def _row(row: Mapping[str, Any], stores: Sequence[Store]) -> str:
    told = json.loads(row["evidence"])
    alike = "same gold" if told["same_gold"] else "other gold"
    note = f"{alike}, questions {told['similarity']:.2f} alike"
    if told["contained"]:
        note += f", {told['contained']:.2f} of its runs of words inside"
    sides = []
    for at, id, question, gold in (
        (0, row["id"], told["question"], told["gold"]),
        (1, row["eval_id"], told["eval_question"], told["eval_gold"]),
    ):
        pictures = "".join(_image(stores, pair[at], question) for pair in told["images"][:4])
        where = row["eval_dataset"] + " " if at else ""
        sides.append(
            f"<td>{pictures}<p>{escape(question)}</p><p><b>{escape(gold)}</b></p>"
            f"<small>{escape(where)}{escape(id)}</small></td>"
        )
    return f"<tr>{''.join(sides)}</tr><tr><td colspan=2><small>{escape(note)}</small></td></tr>"


def _image(stores: Sequence[Store], sha256: str, question: str) -> str:
    out = BytesIO()
    data = next(one.image(sha256) for one in stores if one.has_image(sha256))
    thumbnail(data, THUMBNAIL_PX).save(out, "JPEG", quality=80)
    shown = base64.b64encode(out.getvalue()).decode()
    alt = escape(f"picture {sha256[:12]} of the question: {question}", quote=True)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{shown}">'
