"""The same requests as files for a batch service, and its results back into the ledger.

One JSON line a request (`custom_id` is the call's key), cut into files by bytes and by count, in
the form of OpenAI's batch service, which `vllm run-batch` reads as well. A call in a file counts as
bought until its result is read: nothing else asks it. Leaves out on purpose: uploading.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import SHORT, hash_bytes
from pellucid.base.paths import write_bytes
from pellucid.endpoint.base import BOUGHT, Asked, Call, Reply, asked
from pellucid.endpoint.budget import Bound, bound_of, charge
from pellucid.endpoint.client import Client
from pellucid.endpoint.wire import PATH, failure_of, reply_of, told

MAX_BYTES = 100_000_000
MAX_REQUESTS = 50_000


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_batches` did."""

    files: tuple[Path, ...]
    requests: int
    had: int
    """Calls that have an answer, or stand in an earlier file."""
    over_budget: bool
    """Whether the budget ended it; the rest is for later."""


def write_batches(
    client: Client,
    calls: Iterable[Call],
    job: str,
    folder: Path,
    max_bytes: int = MAX_BYTES,
    max_requests: int = MAX_REQUESTS,
) -> Written:
    """Write every call without an answer into batch files.

    Args:
        client: the endpoint, the ledger and the budget.
        calls: what is to be asked.
        job: what it is for.
        folder: gets `batch-<number>-<hash>.jsonl`.
        max_bytes: of a file.
        max_requests: of a file.

    Raises:
        UserError: a single request is larger than a file may be.
        DiskError: a file cannot be written.
    """
    budget, ledger = client.budget(), client.ledger
    files = _Files(client, job, folder)
    seen: set[str] = set()
    had, over = 0, False
    for call in calls:
        one = asked(call, client.endpoint.model)
        state = ledger.state(one.key)
        if one.key in seen or state in BOUGHT or state in ("batched", "permanent"):
            had += 1
            continue
        bound = bound_of(one, client.endpoint)
        over = not budget.reserve(bound)
        if over:
            break
        seen.add(one.key)
        line = _line(one, client)
        if len(line) > max_bytes:
            rule = f"makes a request larger than a file of {max_bytes} bytes"
            raise UserError(Problem("images", len(line), rule, "use smaller pictures"))
        if len(files.held) == max_requests or files.size + len(line) > max_bytes:
            files.flush()
        files.add(line, one, bound)
    files.flush()
    return Written(tuple(files.paths), len(seen), had, over)


class _Files:
    """Collects the requests of one file at a time."""

    def __init__(self, client: Client, job: str, folder: Path) -> None:
        self._client, self._job, self._folder = client, job, folder
        self._first = client.ledger.batches()
        self._lines: list[bytes] = []
        self.held: list[tuple[Asked, Bound]] = []
        self.size = 0
        self.paths: list[Path] = []

    def add(self, line: bytes, one: Asked, bound: Bound) -> None:
        """One more request for the file."""
        self._lines.append(line)
        self.held.append((one, bound))
        self.size += len(line)

    def flush(self) -> None:
        """Write the file, then its rows of the ledger."""
        if not self.held:
            return
        data, number = b"".join(self._lines), self._first + len(self.paths)
        # Named by its content: a kill before the rows are written leaves a file that the next run
        # writes again, not a second one with the same requests.
        path = self._folder / f"batch-{number:05d}-{hash_bytes(data)[:SHORT]}.jsonl"
        with boundary("writing a batch"):
            write_bytes(path, data)
        ledger, model = self._client.ledger, self._client.endpoint.model
        with ledger.together():
            for one, bound in self.held:
                ledger.begin(one, model, self._job, f"batch:{path.name}", bound, "batched")
        self.paths.append(path)
        self._lines, self.held, self.size = [], [], 0


def read_results(client: Client, paths: Iterable[Path]) -> dict[str, int]:
    """Read the results of batches into the ledger; reading a file twice changes nothing.

    Args:
        client: the endpoint whose ledger wrote the batches.
        paths: JSON lines as the service gives them: results, and its file of errors.

    Returns:
        How many requests ended how; `unknown` are results that no batch of this ledger asked for,
        `read before` those that it has.

    Raises:
        UserError: a file is missing or is no file of results.
    """
    counts: dict[str, int] = {}
    for path in paths:
        for number, item in _items(path):
            key = item.get("custom_id")
            if not isinstance(key, str):
                rule = f"holds no result in line {number}"
                raise UserError(Problem("batch", str(path), rule, "name the service's results"))
            name = _take(client, key, _outcome(item))
            counts[name] = counts.get(name, 0) + 1
    return counts


def _take(client: Client, key: str, reply: Reply) -> str:
    waiting = client.ledger.batched(key)
    if waiting is None:
        return "read before" if client.ledger.state(key) else "unknown"
    row, bound = waiting
    client.ledger.finish(row, reply, charge(reply, bound, client.endpoint), 0.0)
    return reply.status


def _line(one: Asked, client: Client) -> bytes:
    request = {
        "custom_id": one.key, "method": "POST", "url": PATH, "body": client.body(one.call),
    }  # fmt: skip
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _items(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise UserError(Problem("batch", str(path), "does not exist", "check the path"))
    with boundary("reading a batch"), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            item = None
            with suppress(ValueError, RecursionError):
                item = json.loads(line)
            if not isinstance(item, dict):
                rule = f"is not JSON lines (line {number})"
                raise UserError(Problem("batch", str(path), rule, "download the file again"))
            yield number, item


def _outcome(item: Mapping[str, Any]) -> Reply:
    response, error = item.get("response"), item.get("error")
    if isinstance(response, Mapping):
        status, body = response.get("status_code"), response.get("body")
        if status in (None, 200):
            return reply_of(body)
        return failure_of(int(status), json.dumps(body), None)
    # An expired or cancelled request was not answered; it may be asked again.
    return Reply("retryable", error=f"batch: {told(json.dumps(error))}", free=True)
