"""TensorBoard: event files in a folder, one subfolder per job.

    tensorboard --logdir runs/smoke/tensorboard

Where: the folder; `tensorboard/` in the run's folder when empty. What an earlier call wrote of a
job is replaced, so that a run which was killed and went on is one curve.
"""

import time
from pathlib import Path
from typing import Any, final

from pellucid.flow.trackers.base import About, Tracker, Values, package

_SUFFIX = ".pellucid"


@final
class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def line(self, job: str, step: int, values: Values) -> None:
        writer = self._writer(job)
        for name, value in values.items():
            writer.add_event(_event(name, value, step))
        writer.flush()

    def numbers(self, values: Values) -> None:
        writer = self._writer("numbers")
        for name, value in values.items():
            writer.add_event(_event(name, value, 0))
        writer.flush()

    def close(self, failed: bool) -> None:
        for writer in self._writers.values():
            writer.close()

    def _writer(self, job: str) -> Any:
        if job not in self._writers:
            module = package("tensorboard", "tensorboard.summary.writer.event_file_writer")
            folder = self._folder / job
            for path in folder.glob(f"events.out.tfevents.*{_SUFFIX}"):
                path.unlink()
            self._writers[job] = module.EventFileWriter(str(folder), filename_suffix=_SUFFIX)
        return self._writers[job]


def _event(name: str, value: float, step: int) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    told = Summary(value=[Summary.Value(tag=name, simple_value=value)])
    return Event(wall_time=time.time(), step=step, summary=told)


def connect(about: About, where: str) -> Tracker:
    """Event files under the folder `where`.

    Raises:
        UserError: tensorboard is not installed.
    """
    package("tensorboard", "tensorboard.summary.writer.event_file_writer")
    return _TensorBoard(Path(where) if where else about.folder / "tensorboard")
