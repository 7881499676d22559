"""The request ledger: one row for every request that was ever sent, written before it is sent.

An SQLite file in WAL mode. A row begins as `pending` and is finished once; a trigger keeps it from
being changed again or deleted. What a killed process left pending is `lost`: its reply is unknown,
and it is charged at its most. Committed rows survive `kill -9`; the client also has the log flushed
to the disk once a second, so that a power cut costs that second. Pictures are here as hashes; keys
not at all.

One process at a time. Leaves out on purpose: editing and cleaning.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from pellucid.base.errors import DiskError, Problem, UserError, boundary
from pellucid.base.hashing import canonical_json
from pellucid.endpoint.base import BOUGHT, Asked, ModelSetting, Reply, Status
from pellucid.endpoint.budget import Bound, Spent

FORMAT = 1
_OURS = 0x50656C6C
"""`application_id` of the file: "Pell"."""
_MAKE = """
CREATE TABLE prompts (
    prompt_hash TEXT PRIMARY KEY, content TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, job TEXT NOT NULL, model TEXT NOT NULL,
    revision TEXT NOT NULL, params TEXT NOT NULL, prompt_hash TEXT NOT NULL, images TEXT NOT NULL,
    rollout INTEGER NOT NULL, seed INTEGER, endpoint TEXT NOT NULL, status TEXT NOT NULL,
    finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, reasoning_tokens INTEGER,
    charged_tokens INTEGER NOT NULL, charged_money REAL NOT NULL, latency_s REAL,
    text TEXT, thinking TEXT, response TEXT, error TEXT, ts TEXT NOT NULL
);
CREATE INDEX calls_by_key ON calls (key, status);
CREATE TRIGGER calls_end_once BEFORE UPDATE ON calls
    WHEN OLD.status NOT IN ('pending', 'batched')
    BEGIN SELECT RAISE(ABORT, 'a finished call is never changed'); END;
CREATE TRIGGER calls_stay BEFORE DELETE ON calls
    BEGIN SELECT RAISE(ABORT, 'a call is never deleted'); END;
"""
_BEGIN = """INSERT INTO calls (key, job, model, revision, params, prompt_hash, images, rollout,
    seed, endpoint, status, charged_tokens, charged_money, ts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_END = """UPDATE calls SET status = ?, finish_reason = ?, prompt_tokens = ?, completion_tokens = ?,
    reasoning_tokens = ?, charged_tokens = ?, charged_money = ?, latency_s = ?, text = ?,
    thinking = ?, response = ?, error = ? WHERE id = ?"""
_REPLY = """SELECT status, text, thinking, finish_reason, prompt_tokens, completion_tokens,
    reasoning_tokens, response, error FROM calls WHERE key = ? ORDER BY id"""
_BATCH = 4000


@final
class Ledger:
    """One file of calls; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open or begin a ledger.

        Raises:
            UserError: the file is something else, or another process has it open.
        """
        self.path = path
        with boundary("opening the ledger"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _open(path)
        self._prompts: set[str] = set()
        self._params: dict[int, tuple[ModelSetting, str]] = {}
        self.lost = self._do(
            "UPDATE calls SET status = 'lost', error = 'the process ended before the reply' "
            "WHERE status = 'pending'"
        ).rowcount
        """Requests that a killed process had open: what may be bought twice."""

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Flush and close the file."""
        self._db.close()

    def begin(
        self,
        asked: Asked,
        model: ModelSetting,
        job: str,
        endpoint: str,
        bound: Bound,
        status: Status = "pending",
    ) -> int:
        """Write down a request that is about to be sent.

        Args:
            asked: the call with its key.
            model: what is asked.
            job: what it is for.
            endpoint: its address, or the batch file.
            bound: what it is charged until it has ended.
            status: `pending`, or `batched`.

        Returns:
            The row's number, for `finish`.
        """
        if asked.prompt_hash not in self._prompts:
            text = canonical_json(asked.content).decode()
            self._do("INSERT OR IGNORE INTO prompts VALUES (?, ?)", (asked.prompt_hash, text))
            if len(self._prompts) >= _BATCH:
                self._prompts.clear()
            self._prompts.add(asked.prompt_hash)
        row = self._do(
            _BEGIN,
            (
                asked.key, job, model.name, model.revision, self._params_text(model),
                asked.prompt_hash, json.dumps(asked.call.images), asked.call.rollout,
                asked.call.seed, endpoint, status, bound.tokens, bound.money, _now(),
            ),
        ).lastrowid  # fmt: skip
        assert row is not None, "an inserted row has a number"
        return row

    def finish(self, row: int, reply: Reply, charged: Bound, latency_s: float) -> None:
        """Write down what came back; once for a row."""
        assert reply.status not in ("pending", "batched"), f"{reply.status} is no end"
        response = json.dumps(dict(reply.response), ensure_ascii=False)
        self._do(
            _END,
            (
                reply.status, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens,
                reply.reasoning_tokens, charged.tokens, charged.money, latency_s, reply.text,
                reply.thinking, response, reply.error, row,
            ),
        )  # fmt: skip

    def state(self, key: str) -> Status | None:
        """What is known of a call: its answer's status, else that of its last request."""
        rows = self._do("SELECT status FROM calls WHERE key = ? ORDER BY id", (key,))
        found: list[Status] = [row[0] for row in rows]
        bought = [status for status in found if status in BOUGHT]
        if bought:
            return bought[0]
        return "batched" if "batched" in found else found[-1] if found else None

    def reply(self, key: str) -> Reply | None:
        """The first reply that was bought for a call, else the last failure, else None."""
        last = None
        for row in self._do(_REPLY, (key,)):
            last = _reply(row)
            if last.status in BOUGHT:
                return last
        return last

    def batched(self, key: str) -> tuple[int, Bound] | None:
        """The row of a call that waits for the result of a batch, and what is set aside for it."""
        found = self._do(
            "SELECT id, charged_tokens, charged_money FROM calls "
            "WHERE key = ? AND status = 'batched'",
            (key,),
        ).fetchone()
        return (found[0], Bound(found[1], found[2])) if found else None

    def batches(self) -> int:
        """Batch files that were written for this ledger."""
        query = "SELECT count(DISTINCT endpoint) FROM calls WHERE endpoint LIKE 'batch:%'"
        return int(self._do(query).fetchone()[0])

    def together(self) -> "Together":
        """Everything written inside is on the disk whole or not at all."""
        return Together(self._db)

    def spent(self) -> Spent:
        """Everything that was ever charged."""
        calls, tokens, money = self._do(
            "SELECT count(*), total(charged_tokens), total(charged_money) FROM calls"
        ).fetchone()
        return Spent(int(calls), int(tokens), float(money))

    def counts(self) -> dict[str, int]:
        """Requests by status."""
        rows = self._do("SELECT status, count(*) FROM calls GROUP BY status ORDER BY 1")
        return dict(rows.fetchall())

    def used(self, keys: Iterable[str]) -> list[tuple[int, float]]:
        """Tokens and money of those of some calls that were bought."""
        query = (
            "SELECT charged_tokens, charged_money FROM calls WHERE key = ? "
            "AND status IN ('answered', 'truncated', 'refused') ORDER BY id LIMIT 1"
        )
        rows = (self._do(query, (key,)).fetchone() for key in keys)
        return [row for row in rows if row]

    def rows(self) -> Iterator[list[dict[str, Any]]]:
        """All rows in the order in which they were begun, some thousand at a time."""
        names = [row[1] for row in self._do("PRAGMA table_info(calls)")]
        cursor = self._do("SELECT * FROM calls ORDER BY id")
        while rows := cursor.fetchmany(_BATCH):
            yield [dict(zip(names, row, strict=True)) for row in rows]

    def prompt(self, prompt_hash: str) -> list[dict[str, Any]]:
        """The conversation behind a hash, with the hashes of its images."""
        found = self._do(
            "SELECT content FROM prompts WHERE prompt_hash = ?", (prompt_hash,)
        ).fetchone()
        content: list[dict[str, Any]] = json.loads(found[0])
        return content

    def _do(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement.

        Raises:
            DiskError: the disk refuses it.
        """
        try:
            return self._db.execute(statement, values)
        except sqlite3.OperationalError as error:
            fix = "free some space or check the disk, then run the same command again"
            raise DiskError(f"writing the ledger '{self.path}': {error}; {fix}") from error

    def _params_text(self, model: ModelSetting) -> str:
        known = self._params.get(id(model))
        if known is None:
            known = self._params[id(model)] = (model, canonical_json(model.params).decode())
        return known[1]

    def flush(self) -> None:
        """Wait until everything that is written is on the disk; safe in another thread."""
        with suppress(FileNotFoundError), Path(f"{self.path}-wal").open("rb") as log:
            os.fsync(log.fileno())


@final
class Together:
    """One transaction over several calls of a ledger."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    """A connection that holds the file for itself."""
    db = None
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
        # Before WAL, so that no shared memory is made and nobody else can open the file.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        # Pages; each checkpoint waits for the disk.
        db.execute("PRAGMA wal_autocheckpoint = 8000")
        db.execute("BEGIN EXCLUSIVE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty:
            for statement in _statements(_MAKE):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_OURS}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")
        if not empty and (owner != _OURS or version != FORMAT):
            db.close()
            rule = f"is a database, but no ledger of layout {FORMAT}"
            raise UserError(Problem("ledger", str(path), rule, "name another file"))
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        if "locked" in str(error) or "busy" in str(error):
            rule, fix = "is open in another process", "wait for it to end, or name another file"
        elif isinstance(error, sqlite3.OperationalError):
            rule, fix = f"cannot be opened ({error})", "check the path and its permissions"
        else:
            rule, fix = f"is no ledger ({error})", "name another file"
        raise UserError(Problem("ledger", str(path), rule, fix)) from None
    return db


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end the transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _reply(row: tuple[Any, ...]) -> Reply:
    response: Mapping[str, Any] = json.loads(row[7]) if row[7] else {}
    return Reply(
        row[0], text=row[1] or "", thinking=row[2], finish_reason=row[3] or "",
        prompt_tokens=row[4], completion_tokens=row[5], reasoning_tokens=row[6],
        response=response, error=row[8] or "",
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
