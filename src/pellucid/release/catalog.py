"""The catalog: released models in a folder, and an SQLite file that knows them.

    catalog.sqlite                      versions, verdicts, aliases
    models/<name>/<content hash>/       a checkpoint, whole or absent
    evidence/<name>/<bundle hash>/      the bundle of a verdict, whole or absent

Folders are published first and entered second, so a killed registration leaves nothing that a
reader sees; running it again converges. What is hashed holds no time; when something was
registered stands in SQLite only. Reading needs no write permission.

Leaves out on purpose: deleting versions, and stages beyond plain aliases.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import SHORT
from pellucid.base.lookup import did_you_mean
from pellucid.release import tables
from pellucid.release.bundle import Bundle, Link, bundle_hash, read_bundle
from pellucid.release.folders import content_hash, keep
from pellucid.schema.verdict import Outcome, Verdict

DATABASE = "catalog.sqlite"
PREFERRED = ("champion", "candidate")
"""What a bare model name stands for, first found; the newest version when there is neither."""

_MODEL = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one model, with its latest verdict."""

    model: str
    version: str
    """Content hash of the checkpoint's files."""
    path: Path
    """The checkpoint folder."""
    outcome: Outcome
    """Of the latest verdict that was registered."""
    policy_hash: str
    evidence: Path
    """Folder of that verdict's bundle."""
    evidence_hash: str
    lineage: Mapping[str, Link]
    aliases: tuple[str, ...]
    created_at: str
    """When the version was first registered, UTC; in SQLite only."""

    @property
    def reference(self) -> str:
        """The shortest usual way to name it: `name:hash`."""
        return f"{self.model}:{self.version[:SHORT]}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for printing."""
        tree = asdict(self)
        return {**tree, "path": str(self.path), "evidence": str(self.evidence)}


class Catalog:
    """Released models below one folder; opening a catalog creates nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database = folder / DATABASE

    def register(
        self,
        model: str,
        checkpoint: Path,
        evidence: Path,
        verdict: Verdict,
        lineage: Mapping[str, Link],
        alias: str | None = None,
    ) -> Entry:
        """Keep a checkpoint and its evidence; equal content is entered once.

        Args:
            model: name of the model.
            checkpoint: folder to keep, by hard links where the file system allows.
            evidence: the verdict's bundle folder.
            verdict: must be the bundle's.
            lineage: must be the bundle's.
            alias: moved to this version when the verdict is PASS, untouched otherwise.

        Raises:
            UserError: a name is malformed, the checkpoint is empty or not the one that was judged,
                the bundle is damaged or holds another verdict, or what the catalog already holds
                was changed by hand.
            DiskError: the machine refused.
        """
        _check_name("model", model, _MODEL)
        if alias is not None:
            _check_name("alias", alias, _ALIAS)
        told = read_bundle(evidence)
        digest, proof = content_hash(checkpoint), bundle_hash(evidence)
        _check_told(told, verdict, lineage, digest)
        with boundary("registering in the catalog"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._writing() as connection:
                keep(checkpoint, self.folder / "models" / model / digest, digest)
                keep(evidence, self.folder / "evidence" / model / proof, content_hash(evidence))
                tables.add_version(connection, model, digest)
                tables.add_verdict(connection, model, digest, proof, told)
                if alias is not None and verdict.outcome == "PASS":
                    tables.set_alias(connection, model, alias, digest)
        return self.resolve(f"{model}:{digest}")

    def resolve(self, reference: str) -> Entry:
        """The version that `name@alias`, `name:hash-prefix` or `name` stands for.

        A bare name is the champion, else the candidate, else the newest version.

        Raises:
            UserError: nothing, or more than one version, goes by that name.
        """
        model, sign, rest = _split(reference)
        with self._reading() as connection:
            entries = self._entries(connection)
        known = [entry for entry in entries if entry.model == model]
        if not known:
            names = {entry.model for entry in entries}
            raise _unknown("model", reference, "is not in the catalog", did_you_mean(model, names))
        if sign == "@":
            return _whole(_by_alias(known, rest, reference))
        if sign == ":":
            return _whole(_by_hash(known, rest, reference))
        return _whole(_preferred(known))

    def list(self) -> tuple[Entry, ...]:
        """Every version, by model, oldest first."""
        with self._reading() as connection:
            return self._entries(connection)

    def alias(self, reference: str, alias: str) -> Entry:
        """Point an alias at a version whose latest verdict is PASS.

        Raises:
            UserError: the version is unknown, did not pass, or the alias is malformed.
        """
        _check_name("alias", alias, _ALIAS)
        entry = self.resolve(reference)
        if entry.outcome != "PASS":
            raise UserError(
                Problem(
                    "alias", alias, f"may not point at {entry.reference}: its gate said "
                    f"{entry.outcome}", "release a version that passes",
                )
            )  # fmt: skip
        with boundary("writing to the catalog"), self._writing() as connection:
            tables.set_alias(connection, entry.model, alias, entry.version)
        return self.resolve(f"{entry.model}:{entry.version}")

    def _entries(self, connection: sqlite3.Connection) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                model=row.model,
                version=row.hash,
                path=self.folder / "models" / row.model / row.hash,
                outcome=row.outcome,
                policy_hash=row.policy_hash,
                evidence=self.folder / "evidence" / row.model / row.evidence,
                evidence_hash=row.evidence,
                lineage={name: Link(**link) for name, link in row.lineage.items()},
                aliases=row.aliases,
                created_at=row.created_at,
            )
            for row in tables.versions(connection)
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self._database.is_file():
            raise _unknown(
                "catalog", str(self.folder), "is not a catalog",
                "check the path, or release a model into it first",
            )  # fmt: skip
        with self._speaking(), closing(tables.connect(self._database, create=False)) as connection:
            tables.check(connection)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time; all of it is entered, or nothing."""
        with self._speaking(), closing(tables.connect(self._database, create=True)) as connection:
            with tables.transaction(connection):
                yield connection

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """SQLite's errors in the words of the catalog."""
        try:
            yield
        except sqlite3.Error as error:
            rule, fix = tables.explain(error)
            raise UserError(Problem("catalog", str(self._database), rule, fix)) from error


def _split(reference: str) -> tuple[str, str, str]:
    for sign in "@:":
        model, found, rest = reference.partition(sign)
        if found:
            return model, sign, rest
    return reference, "", ""


def _by_alias(known: Sequence[Entry], alias: str, reference: str) -> Entry:
    for entry in known:
        if alias in entry.aliases:
            return entry
    aliases = {name for entry in known for name in entry.aliases}
    rule = "is an alias that points nowhere"
    fix = (
        did_you_mean(alias, aliases)
        if aliases
        else f"no version of it has one; say {reference.partition('@')[0]}"
    )
    raise _unknown("model", reference, rule, fix)


def _by_hash(known: Sequence[Entry], prefix: str, reference: str) -> Entry:
    found = [entry for entry in known if prefix and entry.version.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    versions = ", ".join(entry.version[:SHORT] for entry in found or known)
    rule = "fits several versions" if found else "fits no version"
    raise _unknown("model", reference, rule, f"there are: {versions}")


def _preferred(known: Sequence[Entry]) -> Entry:
    for alias in PREFERRED:
        for entry in known:
            if alias in entry.aliases:
                return entry
    return known[-1]


def _whole(entry: Entry) -> Entry:
    for folder in (entry.path, entry.evidence):
        if not folder.is_dir():
            raise _unknown(
                "catalog", str(folder), "is missing, though the catalog knows it",
                "restore it, or release the model again",
            )  # fmt: skip
    return entry


def _check_name(field: str, value: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        rule = f"does not match {pattern.pattern}"
        raise UserError(Problem(field, value, rule, "use lower-case letters, digits and - _"))


def _check_told(
    bundle: Bundle, verdict: Verdict, lineage: Mapping[str, Link], checkpoint: str
) -> None:
    if bundle.verdict != verdict or dict(bundle.lineage) != dict(lineage):
        raise UserError(
            Problem("evidence", verdict.outcome, "is not what the bundle says", "bundle it again")
        )
    if bundle.checkpoint != checkpoint:
        raise UserError(
            Problem(
                "checkpoint", checkpoint[:SHORT],
                f"is not the one that was judged ({bundle.checkpoint[:SHORT]})",
                "register the checkpoint that the evidence is about",
            )
        )  # fmt: skip


def _unknown(field: str, value: str, rule: str, fix: str) -> UserError:
    return UserError(Problem(field, value, rule, fix))
