"""Tell trackers of a run: logs of training as they grow, numbers of evaluations as they come.

What is told is read from the files of the run, so a finished run can be told again. A tracker that
fails is left out from then on and said so; it never stops a run.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, final

from pellucid.base.lookup import pick
from pellucid.eval.report import load_report
from pellucid.flow.lines import say
from pellucid.flow.provenance import code_version
from pellucid.flow.report import LOG
from pellucid.flow.trackers import TRACKERS, About, Tracker
from pellucid.recipe import Recipe
from pellucid.schema.artifact import Artifact

_EVERY_S = 1.0
"""How often a growing log is read."""


@final
class Tracking:
    """The trackers of one run."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        """Tell these, by what the user called them."""
        self._trackers = dict(trackers)
        self._told: dict[str, int] = {}

    @contextmanager
    def following(self, job: str, folder: Path) -> Iterator[None]:
        """Tell the log in `folder` while it grows."""
        if not self._trackers:
            yield
            return
        ended = Event()
        thread = Thread(target=self._follow, args=(job, folder / LOG, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def job(self, artifact: Artifact) -> None:
        """Tell what a finished job left, as far as it was not told while it ran."""
        if not self._trackers:
            return
        kind = artifact.manifest.type
        if kind in ("train", "rl"):
            self._lines(artifact.name, (artifact.path / LOG).read_bytes())
        elif kind == "eval":
            metrics = load_report(artifact.path).metrics
            found = {one.id: one.value for one in metrics if one.value is not None}
            self._tell(lambda tracker: tracker.numbers(found))

    def close(self) -> None:
        """Nothing more will come."""
        self._tell(lambda tracker: tracker.close())

    def _follow(self, job: str, path: Path, ended: Event) -> None:
        told = 0  # bytes
        while not ended.wait(_EVERY_S):
            with suppress(OSError), path.open("rb") as file:
                # A job that goes on cuts its log back first; steps that were told are passed over.
                told = file.seek(told if told <= path.stat().st_size else 0)
                whole = file.read().rpartition(b"\n")
                self._lines(job, whole[0] + whole[1])
                told += len(whole[0] + whole[1])

    def _lines(self, job: str, data: bytes) -> None:
        """Tell the whole lines of a log whose steps were not told yet."""
        for line in data.split(b"\n")[:-1]:
            row = json.loads(line)
            step = row["step"]
            if step > self._told.get(job, -1):
                self._told[job] = step
                found = dict(_values({name: row[name] for name in row if name != "step"}))
                self._tell(lambda tracker, s=step, v=found: tracker.line(job, s, v))

    def _tell(self, call: Callable[..., None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                call(tracker)
            except Exception as error:  # noqa: BLE001 - of any kind, it must not end the run
                del self._trackers[name]
                say(f"  --track {name} is left out from here: {type(error).__name__}: {error}")


@contextmanager
def tracking(told: Sequence[str], recipe: Recipe, folder: Path) -> Iterator[Tracking]:
    """The trackers of a run, open.

    Args:
        told: `KIND` or `KIND:WHERE` each.
        recipe: of the run.
        folder: the run's own folder.

    Raises:
        UserError: there is no such tracker, or its package is not installed.
    """
    about = About(recipe.name, folder, _settings(recipe)) if told else None
    opened: dict[str, Tracker] = {}
    for one in told:
        kind, _, where = one.partition(":")
        connect = pick(TRACKERS, kind, "--track")
        assert about is not None, "there is something to track"
        opened[one] = connect(about, where)
    found = Tracking(opened)
    try:
        yield found
    finally:
        found.close()


def _settings(recipe: Recipe) -> dict[str, str]:
    commit, dirty = code_version()
    told = dict(_flat(recipe.model_dump(mode="json")))
    return {**told, "pellucid.commit": f"{commit}{' (edited)' if dirty else ''}"}


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Plain values of a tree by dotted name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{at}.{index}")
    elif value is not None:
        yield at, value if isinstance(value, str) else json.dumps(value)


def _values(value: Any, at: str = "") -> Iterator[tuple[str, float]]:
    """Finite numbers of a log line by dotted name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield at, float(value)
