"""The report of a run: `index.html` for people, `report.json` for programs.

`index.html` stands alone: no script, no font, no address outside the file. `report.json` holds
every number of the page under a stable id; what differs from run to run stands below keys named
`timing` and nowhere else.

Leaves out on purpose: reading artifacts. Whoever knows where they lie fills a `PageInput`.
"""

from pathlib import Path

from pellucid.base.paths import write_bytes, write_json
from pellucid.eval.page_input import (
    CatalogLine,
    JobLine,
    Judged,
    MixLine,
    PageInput,
    Sample,
    TaskLine,
    TrainingLog,
)
from pellucid.eval.page_numbers import report_tree
from pellucid.eval.page_view import html

__all__ = [
    "HTML",
    "JSON",
    "CatalogLine",
    "JobLine",
    "Judged",
    "MixLine",
    "PageInput",
    "Sample",
    "TaskLine",
    "TrainingLog",
    "render_page",
]

HTML, JSON = "index.html", "report.json"


def render_page(run: PageInput, folder: Path) -> None:
    """Write `index.html` and `report.json` into `folder`, each whole or absent.

    Args:
        run: what to show.
        folder: made when missing.

    Raises:
        OSError: the machine refused a file.
    """
    tree = report_tree(run)
    write_json(folder / JSON, tree)
    write_bytes(folder / HTML, html(run, tree))
