"""The length index: made once, by whoever needs it first, and trusted only where it is whole."""

from pathlib import Path

import pytest

from pellucid import store
from pellucid.base.errors import Problem, UserError
from pellucid.schema.record import Record, Source, assistant, make_record, user
from pellucid.store import Store, Writer, arrow
from pellucid.store.lengths import Index, all_lengths, label_of

HASH, OTHER = "a" * 64, "a" * 12 + "b" * 52
"""Two processors whose labels have the same name."""


@pytest.fixture
def opened(tmp_path: Path) -> Store:
    """Two shards of four records."""
    writer = Writer(tmp_path / "s")
    for shard in range(2):
        writer.shard(f"s{shard}", [made(4 * shard + row) for row in range(4)])
    writer.finish()
    return store.open(tmp_path / "s")


def made(row: int) -> Record:
    source = Source("toy", "train", row, "CC0-1.0")
    told = {"images": (), "answer": None, "task": f"t{row % 2}", "domain": "d", "source": source}
    return make_record(messages=(user("a" * row), assistant("b")), **told)


class Measured:
    """As many tokens as the question has letters; keeps who was asked about."""

    def __init__(self, more: int = 0) -> None:
        self.seen: list[str] = []
        self._more = more

    def __call__(self, record: Record) -> dict:
        self.seen.append(record.id)
        tokens = len(record.messages[0].text) + self._more
        one = {"mode": "nothink", "tokens": tokens, "patches": 0, "supervised": 1}
        return {"id": record.id, "own": "nothink", "nothink": [one], "think": None}


def lengths_of(opened: Store, ids: list[str], processor: str, measure, keep: bool = True):
    """Of one call alone, as another run would ask."""
    with Index(opened, processor, measure, keep) as index:
        return index.rows(ids)


def tokens(table) -> list[int]:
    return [row["nothink"][0]["tokens"] for row in table.to_pylist()]


def part(opened: Store, shard: str) -> Path:
    return opened.folders[0] / "labels" / f"{label_of(HASH)}@1" / f"{shard}.parquet"


def test_a_shard_is_measured_whole_and_once_whoever_asks(opened: Store) -> None:
    ids, first = [made(row).id for row in range(8)], Measured()
    found = lengths_of(opened, [ids[2], ids[0], ids[2]], HASH, first)
    assert tokens(found) == [2, 0, 2] and found["task"].to_pylist() == ["t0", "t0", "t0"]
    assert sorted(first.seen) == sorted(ids[:4]), "the other shard has none that is asked for"
    assert part(opened, "s0").is_file() and not part(opened, "s1").exists()
    second = Measured()
    whole = {
        row["id"]: row for table in all_lengths(opened, HASH, second) for row in table.to_pylist()
    }
    assert sorted(second.seen) == sorted(ids[4:]), "what is there is read"
    assert [whole[id]["nothink"][0]["tokens"] for id in ids] == list(range(8))
    third = Measured()
    assert tokens(lengths_of(opened, ids, HASH, third)) == list(range(8)) and third.seen == []


def test_without_keeping_only_what_is_asked_for_is_measured(opened: Store) -> None:
    ids, ask = [made(row).id for row in range(8)], Measured()
    assert tokens(lengths_of(opened, ids[5:7], HASH, ask, keep=False)) == [5, 6]
    assert sorted(ask.seen) == sorted(ids[5:7])
    assert not (opened.folders[0] / "labels").exists()


def test_a_part_with_fewer_records_or_of_another_processor_is_made_anew(opened: Store) -> None:
    """As in a published set that was made whole again; names of labels have 12 digits alone."""
    ids = [made(row).id for row in range(8)]
    list(all_lengths(opened, HASH, Measured()))
    whole = part(opened, "s0").read_bytes()
    fewer = arrow.read_table(part(opened, "s0")).slice(0, 3)
    arrow.write_table(part(opened, "s0"), fewer)
    again = Measured()
    assert tokens(lengths_of(opened, ids, HASH, again)) == list(range(8))
    assert sorted(again.seen) == sorted(ids[:4]) and part(opened, "s0").read_bytes() == whole
    assert tokens(lengths_of(opened, ids, OTHER, Measured(more=100))) == list(range(100, 108))
    part(opened, "s1").write_bytes(b"PAR1 cut off")
    assert tokens(lengths_of(opened, ids, HASH, Measured())) == list(range(8))


def test_where_nothing_can_be_written_it_is_measured_once_a_run(opened: Store) -> None:
    """A file stands where the folder of labels would be, which stops root as well."""
    (opened.folders[0] / "labels").write_text("")
    ids = [made(row).id for row in range(8)]
    for _ in range(2):
        ask = Measured()
        with Index(opened, HASH, ask) as index:
            assert tokens(index.rows(ids[:2])) == [0, 1] and len(ask.seen) == 4
            assert tokens(index.rows(ids)) == list(range(8)) and len(ask.seen) == 8
            assert tokens(index.rows(ids[5:2:-1])) == [5, 4, 3] and len(ask.seen) == 8


def test_a_record_that_cannot_be_measured_stops_only_who_asks_for_it(opened: Store) -> None:
    """As where an image strategy of the user's fails on a picture; nothing is kept of its shard."""
    ids, broken = [made(row).id for row in range(8)], made(1).id

    def measure(record: Record) -> dict:
        if record.id == broken:
            raise UserError(Problem("model.images.path", "views", "raised", "mend the function"))
        return Measured()(record)

    assert tokens(lengths_of(opened, [ids[0], ids[5]], HASH, measure)) == [0, 5]
    assert not part(opened, "s0").exists() and part(opened, "s1").is_file()
    with pytest.raises(UserError, match="mend the function"):
        lengths_of(opened, ids[:2], HASH, measure)
    with pytest.raises(UserError, match="mend the function"):
        list(all_lengths(opened, HASH, measure))
    assert tokens(lengths_of(opened, ids[:2], HASH, Measured())) == [0, 1], "mended"


def test_a_shard_with_such_a_record_is_tried_whole_once_a_run(opened: Store) -> None:
    ids, broken, seen = [made(row).id for row in range(8)], made(3).id, list[str]()

    def measure(record: Record) -> dict:
        seen.append(record.id)
        if record.id == broken:
            raise UserError(Problem("model.images.path", "views", "raised", "mend the function"))
        return Measured()(record)

    with Index(opened, HASH, measure) as index:
        for row in range(3):
            assert tokens(index.rows([ids[row]])) == [row]
        assert seen.count(broken) == 1
        with pytest.raises(UserError, match="mend the function"):
            index.rows([broken])


def test_a_record_that_is_not_there(opened: Store) -> None:
    with pytest.raises(KeyError, match="nobody"):
        lengths_of(opened, ["nobody"], HASH, Measured())
