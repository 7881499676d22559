"""The catalog: names, aliases, kill -9 at any instant, a reader who may not write."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import PellucidError, UserError
from pellucid.release import Bundle, Catalog, Entry
from pellucid.schema.verdict import Verdict


def register(
    catalog: Catalog, make: Any, weights: bytes = b"weights", at_least: float = 0.4,
    alias: str | None = "candidate", model: str = "tiny",
) -> Entry:  # fmt: skip
    checkpoint = make.checkpoint(f"checkpoint-{weights.decode()}", weights)
    folder, bundle = make.evidence(checkpoint, at_least)
    return catalog.register(model, checkpoint, folder, bundle.verdict, bundle.lineage, alias)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("catalog.sqlite")
    }


def test_a_version_is_found_by_every_name(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    entry = register(catalog, make)
    assert entry.outcome == "PASS" and entry.aliases == ("candidate",)
    assert (entry.path / "model.safetensors").read_bytes() == b"weights"
    assert (entry.evidence / "verdict.json").is_file()
    assert entry.lineage == make.lineage
    for name in ("tiny", "tiny@candidate", f"tiny:{entry.version[:6]}", entry.reference):
        assert catalog.resolve(name) == entry


def test_equal_content_is_entered_once(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    first, before = register(catalog, make), tree(tmp_path / "catalog")
    assert register(catalog, make) == first
    assert tree(tmp_path / "catalog") == before and len(catalog.list()) == 1


def test_a_new_verdict_on_the_same_weights_is_the_latest_one(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    passed = register(catalog, make)
    failed = register(catalog, make, at_least=0.9)
    assert (failed.outcome, failed.version) == ("FAIL", passed.version)
    assert failed.evidence != passed.evidence and passed.evidence.is_dir()
    assert register(catalog, make).outcome == "PASS"
    assert len(catalog.list()) == 1


def test_an_alias_moves_only_on_a_pass(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    first = register(catalog, make, b"one")
    assert register(catalog, make, b"two", at_least=0.9).aliases == ()
    assert register(catalog, make, b"three", at_least=0.5).outcome == "INCONCLUSIVE"
    assert catalog.resolve("tiny@candidate").version == first.version
    fourth = register(catalog, make, b"four")
    assert catalog.resolve("tiny@candidate") == fourth
    assert catalog.resolve(first.reference).aliases == ()
    with pytest.raises(UserError, match="its gate said FAIL"):
        two = next(entry for entry in catalog.list() if entry.outcome == "FAIL")
        catalog.alias(two.reference, "champion")
    assert catalog.alias(first.reference, "champion").aliases == ("champion",)
    assert catalog.resolve("tiny").version == first.version


def test_a_bare_name_is_champion_then_candidate_then_newest(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    one, two = (register(catalog, make, weights, alias=None) for weights in (b"one", b"two"))
    assert catalog.resolve("tiny") == two
    catalog.alias(one.reference, "candidate")
    assert catalog.resolve("tiny").version == one.version
    catalog.alias(two.reference, "champion")
    assert catalog.resolve("tiny").version == two.version


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("tinny", "did you mean 'tiny'"),
        ("tiny@candidat", "did you mean 'candidate'"),
        ("tiny:ffffffff0000", "fits no version"),
        ("tiny:", "fits no version"),
        ("../tiny", "is not in the catalog"),
    ],
)
def test_a_name_that_fits_nothing_says_what_there_is(
    make: Any, tmp_path: Path, reference: str, words: str
) -> None:
    catalog = Catalog(tmp_path / "catalog")
    register(catalog, make)
    with pytest.raises(UserError, match=words):
        catalog.resolve(reference)


def test_a_prefix_of_two_versions_is_refused(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    heads: set[str] = set()
    for index in range(17):
        entry = register(catalog, make, f"w{index}".encode(), alias=None)
        head = entry.version[0]
        if head in heads:
            break
        heads.add(head)
    with pytest.raises(UserError, match="fits several versions"):
        catalog.resolve(f"tiny:{head}")


def test_evidence_about_something_else_is_refused(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    judged, other = make.checkpoint(), make.checkpoint("other", b"other weights")
    folder, bundle = make.evidence(judged)
    with pytest.raises(UserError, match="is not the one that was judged"):
        catalog.register("tiny", other, folder, bundle.verdict, bundle.lineage)
    better = replace(bundle.verdict, outcome="FAIL")
    with pytest.raises(UserError, match="is not what the bundle says"):
        catalog.register("tiny", judged, folder, better, bundle.lineage)
    with pytest.raises(UserError, match="does not match"):
        catalog.register("../../etc", judged, folder, bundle.verdict, bundle.lineage)
    with pytest.raises(UserError, match="does not match"):
        catalog.register("tiny", judged, folder, bundle.verdict, bundle.lineage, "A b")
    with pytest.raises(UserError, match="missing or empty"):
        catalog.register("tiny", tmp_path / "no", folder, bundle.verdict, bundle.lineage)
    assert not (tmp_path / "catalog").exists()


def test_a_missing_or_broken_catalog_gives_one_clear_error(make: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a catalog"):
        Catalog(tmp_path / "none").list()
    assert not (tmp_path / "none").exists()
    catalog = Catalog(tmp_path / "catalog")
    entry = register(catalog, make)
    database = tmp_path / "catalog" / "catalog.sqlite"
    whole = database.read_bytes()
    database.write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError, match="not a readable catalog"):
        catalog.list()
    with pytest.raises(UserError, match="not a readable catalog"):
        register(catalog, make)
    database.write_bytes(b"")
    with pytest.raises(UserError, match="format 0"):
        catalog.list()
    assert register(catalog, make).version == entry.version
    database.write_bytes(whole)
    with closing_connection(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="format 99"):
        catalog.resolve("tiny")
    database.write_bytes(whole)
    os.rename(entry.path, tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is missing, though the catalog knows it"):
        catalog.resolve("tiny")


class closing_connection:
    """A committed and closed connection."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.commit()
        self.connection.close()


def test_a_file_changed_by_hand_is_noticed(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    entry = register(catalog, make)
    (entry.path / "config.json").unlink()
    (entry.path / "config.json").write_text('{"changed": true}')
    with pytest.raises(UserError, match="a file was changed"):
        register(catalog, make)


def test_manifest_and_timing_are_not_part_of_a_version(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    entry = register(catalog, make)
    checkpoint = make.checkpoint("checkpoint-weights")
    (checkpoint / "timing").mkdir()
    (checkpoint / "timing" / "seconds.json").write_text("1.5")
    (checkpoint / "manifest.json").write_text("{}")
    assert register(catalog, make) == entry
    assert sorted(path.name for path in entry.path.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_the_run_may_be_removed_afterwards(make: Any, tmp_path: Path) -> None:
    entry = register(Catalog(tmp_path / "catalog"), make)
    for path in sorted(make.root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert (entry.path / "model.safetensors").read_bytes() == b"weights"


def dying(limit: int, catalog: Path, checkpoint: Path, evidence: Path, bundle: Bundle) -> int:
    """Register in a child that dies at its `limit`-th file-system call; its wait status."""
    child = os.fork()
    if child == 0:
        count = itertools.count()

        def watch(event: str, _: tuple[Any, ...]) -> None:
            if event.split(".")[0] in ("os", "open", "sqlite3", "shutil") and next(count) == limit:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            Catalog(catalog).register(
                "tiny", checkpoint, evidence, bundle.verdict, bundle.lineage, "candidate"
            )
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


def test_kill_at_any_call_then_again_converges(make: Any, tmp_path: Path) -> None:
    checkpoint = make.checkpoint()
    evidence, bundle = make.evidence(checkpoint)
    wanted: dict[str, bytes] = {}
    for limit in range(500):
        folder = tmp_path / f"kill-{limit}"
        died = dying(limit, folder, checkpoint, evidence, bundle) == signal.SIGKILL
        try:
            seen = Catalog(folder).list()
        except UserError:
            seen = ()
        for entry in seen:  # whoever reads now sees whole versions only
            assert tree(entry.path) == tree(checkpoint)
        Catalog(folder).register(
            "tiny", checkpoint, evidence, bundle.verdict, bundle.lineage, "candidate"
        )
        wanted = wanted or tree(folder)
        assert tree(folder) == wanted
        assert Catalog(folder).resolve("tiny@candidate").outcome == "PASS"
        if not died:
            break
    assert limit > 20, "the child met no file-system call to die at"
    assert not died, "the unbroken registration never came"


HOT = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('PRAGMA cache_size = 1')
connection.execute('BEGIN IMMEDIATE')
connection.execute("DELETE FROM aliases")
for index in range(2000):
    connection.execute("INSERT INTO aliases VALUES ('tiny', ?, (SELECT hash FROM versions))",
                       (f'alias-{index}' * 20,))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_commit_killed_half_way_is_taken_back(make: Any, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    entry = register(catalog, make)
    database = tmp_path / "catalog" / "catalog.sqlite"
    done = subprocess.run([sys.executable, "-c", HOT, str(database)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert database.with_name("catalog.sqlite-journal").stat().st_size > 0
    assert catalog.resolve("tiny@candidate") == entry


READER = """
import os, sys
from pathlib import Path
from pellucid.release import Catalog
os.setgid(65534); os.setuid(65534)
catalog = Catalog(Path(sys.argv[1]))
entry = catalog.resolve('tiny@candidate')
print((entry.path / 'model.safetensors').read_text(), entry.outcome, len(catalog.list()))
try:
    catalog.alias('tiny', 'champion')
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_another_user_may_read_without_write_permission(make: Any, tmp_path: Path) -> None:
    register(Catalog(tmp_path / "catalog"), make)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    command = [sys.executable, "-c", READER, str(tmp_path / "catalog")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[0] == "weights PASS 1", done.stderr
    assert lines[1].startswith("UserError") and "cannot be opened by this user" in lines[1]


def test_a_full_disk_leaves_nothing_half_kept(make: Any, tmp_path: Path) -> None:
    code = """
    import resource, signal, sys
    from pathlib import Path
    from pellucid.base.errors import PellucidError
    from pellucid.release import Catalog, folders, read_bundle
    folders.os.link = lambda *_: (_ for _ in ()).throw(OSError(18, 'another file system'))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    catalog, checkpoint, evidence = map(Path, sys.argv[1:])
    bundle = read_bundle(evidence)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        Catalog(catalog).register('tiny', checkpoint, evidence, bundle.verdict, bundle.lineage)
    except PellucidError as error:
        print(error)
    """
    checkpoint = make.checkpoint(weights=b"w" * 200_000)
    evidence, bundle = make.evidence(checkpoint)
    folders = [str(path) for path in (tmp_path / "catalog", checkpoint, evidence)]
    command = [sys.executable, "-c", textwrap.dedent(code), *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "file-size limit" in done.stdout, done.stderr
    assert tree(tmp_path / "catalog") == {}
    catalog = Catalog(tmp_path / "catalog")
    with pytest.raises(PellucidError):
        catalog.list()
    entry = catalog.register("tiny", checkpoint, evidence, bundle.verdict, bundle.lineage)
    assert isinstance(bundle.verdict, Verdict) and tree(entry.path) == tree(checkpoint)
