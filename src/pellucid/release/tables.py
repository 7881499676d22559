"""The catalog's SQLite file: its tables and the few statements over them.

The rollback journal is kept (no WAL), so that a reader needs no write permission. Leaves out on
purpose: migrations; a file of another format is refused.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pellucid.base.hashing import canonical_json
from pellucid.release.bundle import Bundle
from pellucid.schema.verdict import Outcome

FORMAT = 1
"""Kept in the file's `user_version`."""
PATIENCE_S = 60.0
"""How long a writer waits for another."""

_TABLES = (
    """CREATE TABLE versions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, hash TEXT NOT NULL,
        created_at TEXT NOT NULL, UNIQUE (model, hash))""",
    """CREATE TABLE verdicts (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, hash TEXT NOT NULL,
        evidence TEXT NOT NULL, outcome TEXT NOT NULL, policy_hash TEXT NOT NULL,
        lineage TEXT NOT NULL, created_at TEXT NOT NULL,
        FOREIGN KEY (model, hash) REFERENCES versions (model, hash))""",
    """CREATE TABLE aliases (
        model TEXT NOT NULL, alias TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (model, alias),
        FOREIGN KEY (model, hash) REFERENCES versions (model, hash))""",
)

_VERSIONS = """
    SELECT v.model, v.hash, v.created_at, d.outcome, d.policy_hash, d.evidence, d.lineage
    FROM versions v JOIN verdicts d ON d.model = v.model AND d.hash = v.hash
    WHERE d.seq = (SELECT MAX(seq) FROM verdicts WHERE model = v.model AND hash = v.hash)
    ORDER BY v.model, v.seq"""


class Row(NamedTuple):
    """One version with its latest verdict."""

    model: str
    hash: str
    created_at: str
    outcome: Outcome
    policy_hash: str
    evidence: str
    lineage: dict[str, Any]
    aliases: tuple[str, ...]


def connect(path: Path, create: bool) -> sqlite3.Connection:
    """Open the file, and make it when it is missing and `create` says so.

    A user who may write opens it for writing even to read, because only then can SQLite take back
    what a killed writer left half done; everyone else opens it read-only.
    """
    mode = "rwc" if create else "rw" if os.access(path, os.W_OK) else "ro"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE_S, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the write lock, make the tables when they are missing, commit all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _format(connection) == 0:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        check(connection)
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def check(connection: sqlite3.Connection) -> None:
    """Refuse a file of another format."""
    found = _format(connection)
    if found != FORMAT:
        raise sqlite3.DatabaseError(f"format {found}, this pellucid reads format {FORMAT}")


def add_version(connection: sqlite3.Connection, model: str, digest: str) -> None:
    """Enter a version; one that is known stays as it is."""
    connection.execute(
        "INSERT OR IGNORE INTO versions (model, hash, created_at) VALUES (?, ?, ?)",
        (model, digest, _now()),
    )


def add_verdict(
    connection: sqlite3.Connection, model: str, digest: str, evidence: str, bundle: Bundle
) -> None:
    """Enter a verdict as the latest of its version; the same one twice in a row is one."""
    latest = connection.execute(
        "SELECT evidence FROM verdicts WHERE model = ? AND hash = ? ORDER BY seq DESC LIMIT 1",
        (model, digest),
    ).fetchone()
    if latest == (evidence,):
        return
    lineage = canonical_json({name: asdict(link) for name, link in bundle.lineage.items()}).decode()
    verdict = bundle.verdict
    connection.execute(
        "INSERT INTO verdicts (model, hash, evidence, outcome, policy_hash, lineage, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (model, digest, evidence, verdict.outcome, verdict.policy_hash, lineage, _now()),
    )


def set_alias(connection: sqlite3.Connection, model: str, alias: str, digest: str) -> None:
    """Point an alias at a version."""
    connection.execute(
        "INSERT INTO aliases (model, alias, hash) VALUES (?, ?, ?)"
        " ON CONFLICT (model, alias) DO UPDATE SET hash = excluded.hash",
        (model, alias, digest),
    )


def versions(connection: sqlite3.Connection) -> list[Row]:
    """Every version with its latest verdict, by model, oldest first."""
    named: dict[tuple[str, str], list[str]] = {}
    for model, alias, digest in connection.execute(
        "SELECT model, alias, hash FROM aliases ORDER BY model, alias"
    ):
        named.setdefault((model, digest), []).append(alias)
    return [
        Row(
            model=model,
            hash=digest,
            created_at=created_at,
            outcome=outcome,
            policy_hash=policy_hash,
            evidence=evidence,
            lineage=json.loads(lineage),
            aliases=tuple(named.get((model, digest), ())),
        )
        for model, digest, created_at, outcome, policy_hash, evidence, lineage in (
            connection.execute(_VERSIONS)
        )
    ]


def explain(error: sqlite3.Error) -> tuple[str, str]:
    """What an SQLite error means to a user: (rule, fix)."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "is being written by another process", "wait for it, then try again"
    if primary == sqlite3.SQLITE_FULL:
        return "cannot grow: the disk is full", "free some space, then try again"
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return (
            f"cannot be opened by this user ({error})",
            "give this user access, or let the owner run `pellucid catalog list` once",
        )
    if primary == sqlite3.SQLITE_IOERR:
        return "cannot be read or written (disk error or size limit)", "check disk and limits"
    return f"is not a readable catalog ({error})", "restore it from a copy, or choose another"


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
