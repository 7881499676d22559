"""The search for known records: in mixes by picture, question and gold; before them by picture."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pellucid import store
from pellucid.flow.overlap import BEFORE, Overlaps, find_overlaps
from pellucid.recipe.release import NoOverlapCheck
from pellucid.release import CHECKS, OVERLAP
from pellucid.schema.artifact import Artifact, Manifest
from pellucid.schema.record import Answer, Record, Source, assistant, make_record, user
from pellucid.store import TRAINED_ON, LedgerRow, MixRow, write_digest, write_mix


def png(red: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(out, "PNG")
    return out.getvalue()


def record(writer: store.Writer, row: int, split: str, red: int, question: str) -> Record:
    return make_record(
        messages=(user(0, question), assistant("7")), images=(writer.image(png(red)),),
        answer=Answer("number", "7"), task="count", domain="perception",
        source=Source("set", split, row, "CC0-1.0"),  # type: ignore[arg-type]
    )  # fmt: skip


def artifact(
    path: Path, name: str, told: Mapping[str, Any] | None = None, parents: tuple[str, ...] = ()
) -> Artifact:
    kind = name.partition(".")[0]
    manifest = Manifest(kind, name, "key", name, 1, told or {}, dict.fromkeys(parents, "h"), {})
    return Artifact(path, manifest)


def run(
    tmp_path: Path, kind: str = "build", mixed: tuple[int, ...] = (0, 1)
) -> dict[str, Artifact]:
    """Rows 0 to 2 train, 3 to 5 test; row 3 repeats row 0, row 4 only its picture."""
    data, other, mix, init = (tmp_path / name for name in ("data", "other", "mix", "init"))
    writer = store.Writer(data)
    records = [
        record(writer, 0, "train", 10, "How many?"),
        record(writer, 1, "train", 20, "How many?"),
        record(writer, 2, "train", 30, "How many?"),
        record(writer, 3, "test", 10, "How  MANY?"),
        record(writer, 4, "test", 10, "How wide?"),
        record(writer, 5, "test", 30, "How many?"),
    ]
    writer.shard("a", records)
    writer.finish()
    apart = store.Writer(other)
    apart.shard("a", [record(apart, 9, "test", 10, "How many?")])
    apart.finish()
    rows = [MixRow(records[n].id, 1, "as_is") for n in mixed]
    write_mix(mix, rows, [LedgerRow(0, "set", row.id, "kept", "") for row in rows])
    init.mkdir()
    return {
        "data.set": artifact(data, "data.set"),
        "data.other": artifact(other, "data.other"),
        "mix.all": artifact(mix, "mix.all"),
        "init": artifact(init, "init", {"model": {"kind": kind}}),
        "eval.rl": artifact(tmp_path, "eval.rl", parents=("init", "data.set")),
    }


def numbered(found: Overlaps, parents: Mapping[str, Artifact]) -> list[tuple[int, list[str]]]:
    opened = store.open(parents["data.set"].path)
    return [(opened.get(row["record"]).source.row, row["seen_in"]) for row in found.rows]


def outcome(found: Overlaps) -> str:
    return CHECKS["no_overlap"]("c", NoOverlapCheck(), {OVERLAP: found.metric}, {}).outcome


def test_a_test_record_in_a_mix_is_found_with_the_mix(tmp_path: Path) -> None:
    parents = run(tmp_path)
    found = find_overlaps(parents)
    # Case and spacing do not count; another question about a known picture does not either, nor
    # does a training record that no mix took. The other source was not evaluated.
    assert numbered(found, parents) == [(3, ["mix.all"])]
    assert (found.metric.value, found.metric.n, found.metric.scored) == (1, 3, 3)
    assert outcome(found) == "FAIL"


def test_nothing_known_passes(tmp_path: Path) -> None:
    found = find_overlaps(run(tmp_path, mixed=(1,)))
    assert (found.rows, found.metric.value, outcome(found)) == ([], 0, "PASS")


def test_pictures_that_the_first_checkpoint_saw_are_known(tmp_path: Path) -> None:
    parents = run(tmp_path, "checkpoint", mixed=(1,))
    opened = store.open(parents["data.set"].path)
    seen = [opened.pixel_hash(image.sha256) for image in opened.records("test")[0].images]
    write_digest(parents["init"].path / TRAINED_ON, seen)
    found = find_overlaps(parents)
    assert numbered(found, parents) == [(3, [BEFORE]), (4, [BEFORE])]
    assert outcome(found) == "FAIL"


def test_a_checkpoint_that_does_not_say_what_it_saw_decides_nothing(tmp_path: Path) -> None:
    silent = find_overlaps(run(tmp_path / "a", "checkpoint", mixed=(1,)))
    assert silent.metric.value is None and silent.metric.unscored == 3
    assert outcome(silent) == "INCONCLUSIVE"
    # What is found in a mix is found all the same.
    assert outcome(find_overlaps(run(tmp_path / "b", "checkpoint"))) == "FAIL"
    parents = run(tmp_path / "c", "checkpoint", mixed=(1,))
    write_digest(parents["init"].path / TRAINED_ON, [])
    assert outcome(find_overlaps(parents)) == "PASS"
