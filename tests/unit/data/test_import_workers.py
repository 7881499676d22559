"""An import by several processes: the bytes and faults of one, and kills that change nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, get_ident

import pytest
from PIL import Image

from pellucid.base.errors import UserError
from pellucid.data.drafts import Piece, Plan, Waiting, draft, fair_copy
from pellucid.data.found import Found
from pellucid.data.imports import _pieces, build_rows
from pellucid.data.rows import Checked, examined, parse
from pellucid.data.runners import local
from pellucid.data.runners.local import Stream
from pellucid.data.sources import rows_of
from pellucid.recipe.rows import LlavaJsonSource

RUNNER = """
import sys
from pathlib import Path
from pellucid.data import imports, rows
from pellucid.data.build import import_source
from pellucid.recipe.rows import LlavaJsonSource
rows.SHARD_ROWS, imports._WORTH_S = 5, 0.0
if __name__ == "__main__":
    file, to, workers = sys.argv[1:]
    options = LlavaJsonSource(path=file, dataset="d", licence="MIT", on_fault="drop", repair=True)
    import_source(options, 3, Path(to), int(workers))
"""


def put(folder: Path, count: int = 60) -> Path:
    """Rows that share pictures across shards, some in two files with the same bytes, some faulty,
    one with a second picture that only a faulty row showed before.
    """
    for n in range(12):
        Image.new("RGB", (9, 9), (n // 2, n % 2 * (n > 3), 1)).save(folder / f"{n}.png")
    rows = []
    for n in range(count):
        said = [{"from": "human", "value": f"q{n}"}, {"from": "gpt", "value": "a" if n % 9 else ""}]
        names = [None, f"{n % 7}.png", [f"{n % 5}.png", f"{n * 7 % 10}.png"]][n % 3]
        rows.append({"id": n, "conversations": said, "image": names})
    said = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "Answer:  4 &amp; 5"}]
    rows[7] = {"conversations": said, "image": ["11.png", "not there.png"]}
    rows[50] = {"conversations": said, "image": "11.png", "split": "test"}
    (folder / "rows.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken", ""]))
    return folder / "rows.jsonl"


def start(folder: Path, file: Path, to: Path, workers: int) -> subprocess.Popen[bytes]:
    (folder / "runner.py").write_text(RUNNER)
    command = [sys.executable, str(folder / "runner.py"), str(file), str(to), str(workers)]
    with (folder / "errors").open("wb") as errors:
        return subprocess.Popen(command, stderr=errors)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def children(pid: int) -> list[int]:
    """All processes below one: those that work are not its own children."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [below for one in map(int, told) for below in (one, *children(one))]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_killed_with_its_processes_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    file = put(tmp_path)
    assert start(tmp_path, file, tmp_path / "one", 1).wait(120) == 0
    whole = tree(tmp_path / "one")
    assert len(whole) > 15
    for files in (3, 9, 16):
        to = tmp_path / f"killed{files}"
        run = start(tmp_path, file, to, 2)
        while run.poll() is None and len(list((to / "parts").glob("*/*"))) < files:
            time.sleep(0.002)
        left = children(run.pid) if run.poll() is None else []
        run.kill()
        assert run.wait(60) == -signal.SIGKILL
        while any(map(runs, left)):  # a process that waits for ever hangs the test
            time.sleep(0.01)
        assert start(tmp_path, file, to, 3 if files == 9 else 1).wait(120) == 0
        assert tree(to) == whole


def test_a_file_that_cannot_be_read_is_told_alike(tmp_path: Path) -> None:
    file = put(tmp_path)
    file.write_bytes(file.read_bytes() + b'{"id": "\xff"}\n')
    told = []
    for workers in (1, 2):
        run = start(tmp_path, file, tmp_path / "to", workers)
        assert run.wait(120) != 0
        told.append((tmp_path / "errors").read_text().strip().splitlines()[-1])
        assert not (tmp_path / "to").exists()
    assert told[0] == told[1] and "is not UTF-8 (byte " in told[0]


def options(file: Path) -> LlavaJsonSource:
    return LlavaJsonSource(path=str(file), dataset="d", licence="MIT", on_fault="drop")


@pytest.mark.parametrize("spoilt", ["shard-000000.arrow", "shard-000000.pictures"])
def test_a_draft_that_is_not_as_it_was_is_refused(tmp_path: Path, spoilt: str) -> None:
    given = options(put(tmp_path))
    drafts = tmp_path / "drafts"
    plan = Plan(rows_of(given), given, 0, tmp_path / "to", tmp_path / "found", drafts)
    with Found(plan.found) as found:
        for piece in _pieces(plan, found):
            one = draft(piece)
            found.add(one.shard, one.first, one.hashes, one.findings)
        (waiting,) = [Waiting(plan, at, first, 61, told) for at, first, told in found.shards()]
    data = bytearray((drafts / spoilt).read_bytes())
    data[len(data) // 2] ^= 1
    (drafts / spoilt).write_bytes(bytes(data))
    with pytest.raises(UserError, match="is not as it was written"):
        fair_copy(waiting)


def test_what_is_written_does_not_depend_on_who_looked_at_a_shard(tmp_path: Path) -> None:
    """A process that knows of no picture looks again at what others have looked at."""
    given = options(put(tmp_path))
    rows, told = list(rows_of(given).read()), []
    for knows in (True, False):
        drafts, statements = tmp_path / f"drafts{knows}", list[str]()
        plan = Plan(rows_of(given), given, 0, tmp_path / "to", tmp_path / f"{knows}", drafts)
        with Found(plan.found) as found:
            found._db.set_trace_callback(statements.append)
            for shard in range(4):  # the last two have no new picture
                home = plan if knows else replace(plan, found=tmp_path / f"none{shard}")
                first = 15 * shard
                one = draft(Piece(home, shard, first, rows[first : first + 15], 1.0))
                found.add(one.shard, one.first, one.hashes, one.findings)
        began = [one[:24] for one in statements]
        assert 7 < began.count("INSERT OR IGNORE INTO pi") < 15
        told.append((began, sorted(path.name for path in drafts.iterdir())))
    assert told[0] == told[1]


def test_threads_look_at_each_picture_once_and_tell_of_them_in_order(tmp_path: Path) -> None:
    given = options(put(tmp_path))
    source = rows_of(given)
    items = [parse(source, at, one) for at, one in enumerate(source.read())]
    told = []
    for threads in (1, 2, 5, 50):
        kept: dict[str, bytes] = {}
        new = examined(source.images, items, {}, 100, kept, threads)
        assert kept == {name: (tmp_path / name).read_bytes() for name in kept}
        told.append((list(new), {name: str(one) for name, one in new.items()}, len(kept)))
    assert all(one == told[0] for one in told) and told[0][2] == 11
    assert told[0][0][:2] == ["1.png", "2.png"] and "does not exist" in told[0][1]["not there.png"]


def test_a_thread_that_dies_stops_the_others(tmp_path: Path, monkeypatch) -> None:
    """Its error is told at once, not when all other pictures have been looked at."""
    pictures = {f"{n}.png": b"" for n in range(2000)}
    items = [Checked(0, "0", None, None, tuple(pictures), pictures)]
    here, dead, looked = get_ident(), Event(), list[int]()

    def examine(data: bytes, limit: int) -> None:
        if get_ident() != here:
            dead.set()
            raise MemoryError
        dead.wait()  # so that the other one has taken a picture
        looked.append(limit)
        time.sleep(0.001)
        raise ValueError("not a picture")

    monkeypatch.setattr("pellucid.data.rows.examine", examine)
    with pytest.raises(MemoryError):
        examined(tmp_path, items, {}, 100, threads=2)
    assert len(looked) < 1000


def test_an_import_of_files_does_without_what_others_need(tmp_path: Path) -> None:
    """Half of the time that a small import takes is Python's own imports."""
    told = ["--licence", "MIT", "--drop", "--to", str(tmp_path / "to")]
    words = ["pellucid", "data", "import", str(put(tmp_path)), *told]
    script = f"""
import gc, sys
from pellucid.cli.main import main
sys.argv = {words}
try:
    main()
except SystemExit as ended:
    assert not ended.code
print("then", gc.isenabled(), gc.get_threshold()[0], *sorted(sys.modules), sep="\\n")
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, _, after = done.stdout.partition("then\n")
    enabled, threshold, *modules = after.splitlines()
    assert (enabled, threshold) == ("True", "50000") and "pellucid.data.drafts" in modules
    others = ("data.repair", "data.synth", "data.mix", "data.catalog", "recipe.recipe", "prompt")
    assert not {f"pellucid.{name}" for name in others} & set(modules)


def test_pictures_that_changed_between_two_imports_are_read_again(tmp_path: Path) -> None:
    given = options(put(tmp_path))
    build_rows("s", given, rows_of(given), 0, tmp_path / "a")
    Image.new("RGB", (9, 9), "white").save(tmp_path / "3.png")
    build_rows("s", given, rows_of(given), 0, tmp_path / "b")
    Image.new("RGB", (9, 9), "black").save(tmp_path / "3.png")
    (tmp_path / "a").rename(tmp_path / "old")
    build_rows("s", given, rows_of(given), 0, tmp_path / "a")
    found = {tree(tmp_path / name)["images/index.parquet"] for name in ("a", "b", "old")}
    assert len(found) == 3


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    given = options(put(tmp_path))
    rows = rows_of(given).read()
    next(rows)
    with Path(given.path).open("a") as file:
        file.write("{}\n")
    with pytest.raises(UserError, match="changed while it was read"):
        list(rows)


def test_a_stream_keeps_the_order_and_takes_few_tasks_ahead() -> None:
    taken = []

    def tasks() -> object:
        for at in range(-20, 0):
            taken.append(at)
            yield at

    with Stream(2, worth_s=0) as stream:
        found = []
        for one in stream.map(abs, tasks(), lambda at: (at + 21) / 20):
            found.append(one)
            assert len(taken) <= len(found) + 4
            if len(found) == 3:
                stream._ready.result()  # type: ignore[union-attr]
        names = stream.map(os.path.basename, ["a/b", "c"], lambda _: 1.0)
        assert list(names) == ["b", "c"]
    assert found == list(range(20, 0, -1))


def worker(task: float) -> tuple[float, int]:
    return task, os.getpid()


def test_a_stream_works_here_until_processes_are_worth_it_and_have_started() -> None:
    """What is left is foreseen from the last task: half a second for a tenth is 2 s for four."""
    with Stream(2, worth_s=2.5) as stream:
        stream._consider(0.5, 0.1, 0.4)
        assert stream._pool is None
        assert {pid for _, pid in stream.map(worker, [0.5, 1.0], float)} == {os.getpid()}
        stream._consider(0.5, 0.1, 0.5)
        assert stream._ready is not None
    with Stream(1, worth_s=0) as stream:
        assert {pid for _, pid in stream.map(worker, [0.1, 0.2], float)} == {os.getpid()}
        assert stream._pool is None
    with Stream(2, worth_s=0) as stream:

        def tasks() -> Iterator[float]:
            yield 0.1
            ready, stream._ready = stream._ready, Future()  # as long as they are starting
            yield from (0.2, 0.3)
            stream._ready = ready
            assert ready is not None
            ready.result()
            yield from (0.4, 1.0)

        found = list(stream.map(worker, tasks(), float))
    assert [task for task, _ in found] == [0.1, 0.2, 0.3, 0.4, 1.0]
    assert [pid == os.getpid() for _, pid in found] == [True, True, True, False, False]


def marked(task: tuple[Path, int]) -> int:
    """Say which process did a task."""
    folder, number = task
    (folder / f"{number}-{os.getpid()}").touch()
    return number


@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
def test_leaving_while_processes_start_does_not_wait_for_them(tmp_path, monkeypatch, error) -> None:
    """They start when the test lets them, which is after the block; then they end without work."""
    left, started, waited = Event(), list[BaseProcess](), list[bool]()

    class Slow(ProcessPoolExecutor):
        def submit(self, *given):
            waited.append(left.wait(60))
            future = super().submit(*given)
            started.extend(self._processes.values())
            return future

    monkeypatch.setattr(local, "ProcessPoolExecutor", Slow)
    tasks = [(tmp_path, number) for number in range(4)]
    with suppress(KeyboardInterrupt), Stream(2, worth_s=0) as stream:
        results = stream.map(marked, tasks, lambda task: task[1] / 10)
        assert next(results) == 0
        if error:
            raise error
        assert [*results] == [1, 2, 3]
    left.set()
    while not started:
        time.sleep(0.01)
    for process in started:
        process.join()  # one that waits for ever hangs the test
    assert waited == [True], "the block was left before they had started"
    done = {path.name for path in tmp_path.iterdir()}
    assert done == {f"{number}-{os.getpid()}" for number in range(1 if error else 4)}
