"""One record's way, and the card of a store."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from tests.unit.data.stores import import_rows, llava, record, write_rows, write_store

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.looking.card import card
from pellucid.data.looking.trace import follow
from pellucid.schema.record import LineageStep
from pellucid.store import Dropped, arrow
from pellucid.store.images import Location, read_at


def test_a_record_leads_to_its_row_its_bytes_and_its_labels(tmp_path: Path) -> None:
    rows = [llava(number, image=[f"{number}.png", "0.png"]) for number in range(1, 5)]
    file = write_rows(tmp_path / "rows", [llava(0), *rows])
    folder = import_rows(file, tmp_path / "store")
    wanted = next(one for one in store.open(folder).records() if one.source.row == 3)
    store.write_label(folder, "flag", 2, pa.table({"id": [wanted.id], "bad": [True]}))
    found = follow([folder], wanted.id[:9])
    assert found.record == wanted
    assert json.loads(found.original) == rows[2]
    assert found.labels == {"flag@2": {"bad": True}}
    names = [(tmp_path / "rows" / name).read_bytes() for name in ("3.png", "0.png")]
    assert [
        read_at(Location(Path(place.pack), place.offset, place.length)) for place in found.images
    ] == names
    ids = arrow.read_table(Path(found.file), ["id"])["id"].to_pylist()
    assert ids[found.row] == wanted.id
    assert json.loads(json.dumps(found.as_dict()))["record"]["id"] == wanted.id
    text = found.text()
    assert wanted.lineage[0].params_hash in text and "flag@2" in text


def test_calls_and_parents_are_told(tmp_path: Path) -> None:
    step = LineageStep("teach", 4, "ffff", ("record-7",), ("call-1", "call-2"))
    one = record(1, lineage=(step,))
    text = follow([write_store(tmp_path / "s", [one])], one.id).text()
    for told in ("teach@4", "from record-7", "teacher call call-1", "teacher call call-2"):
        assert told in text
    assert "it was drawn, not read" in text


def test_an_id_that_fits_none_or_several(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "s", [record(row) for row in range(20)])
    with pytest.raises(UserError, match="is no record of this store"):
        follow([folder], "zz")
    with pytest.raises(UserError, match="fits several records"):
        follow([folder], "")
    with pytest.raises(UserError, match="is no record of this store"):
        follow([folder], "%")


@pytest.fixture
def described(tmp_path: Path) -> Path:
    records = [
        record(0),
        record(1, licence="CC-BY-4.0 AND MIT", split="test"),
        record(2, licence="our | own <b>", answer=None, task="a | b"),
    ]
    return write_store(tmp_path / "s", records, [Dropped(3, "x", "'v' is broken")])


def test_front_matter_is_what_the_hub_reads(described: Path) -> None:
    text = card("my set", [described])
    tree = yaml.safe_load(text.split("---")[1])
    assert tree == {
        "pretty_name": "my set",
        "license": ["cc-by-4.0", "mit", "other"],
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": ["n<1K"],
        "configs": [{"config_name": "default", "data_files": "records/*.parquet"}],
    }


def test_the_card_counts_and_adds_up(described: Path) -> None:
    text = card("my set", [described])
    assert "4 input rows: 3 became records, 1 were left out." in text
    assert "| is broken | 1 |" in text
    assert "2 records are for training, 0 for choosing, 1 for reports" in text
    assert "2 records have a gold answer" in text
    assert "- set, licence MIT: 1 records" in text
    assert store.manifest(described).hash in text
    for section in ("Motivation", "Composition", "Collection process", "Uses", "Distribution",
                    "Maintenance", "Preprocessing, cleaning, labelling"):  # fmt: skip
        assert f"\n## {section}\n" in text


def test_names_break_no_table(described: Path) -> None:
    text = card("my set", [described])
    assert "<b>" not in text and "our \\| own" in text
    tables = [block.strip().split("\n") for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) > 8
    for lines in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1, lines[0]


def test_equal_stores_equal_bytes(described: Path, tmp_path: Path) -> None:
    again = write_store(
        tmp_path / "elsewhere", store.open(described).records(), [Dropped(3, "x", "'v' is broken")]
    )
    assert card("my set", [described]) == card("my set", [again])


def test_labels_are_known_faults(described: Path) -> None:
    ids = store.open(described).facts()["id"].to_pylist()
    store.write_label(described, "triage", 1, pa.table({"id": ids, "fault": ["dark", "", "dark"]}))
    assert "| fault | records |\n| --- | --- |\n| dark | 2 |" in card("my set", [described])
