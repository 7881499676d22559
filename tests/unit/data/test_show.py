"""What a person is told about a record."""

from pellucid.data.show import describe
from pellucid.schema.record import (
    Answer,
    ImageRef,
    LineageStep,
    Source,
    assistant,
    make_record,
    user,
)


def test_a_record_is_described_in_full() -> None:
    record = make_record(
        messages=(user(0, "Which?"), assistant("B")),
        images=(ImageRef("ab" * 32, 30, 20),),
        answer=Answer("choice", "B", ("the cup",)),
        task="pick",
        domain="shop",
        source=Source("set", "test", 4, "MIT", group="g1"),
        evidence={"cups": 2},
        lineage=(LineageStep("import.x", 3, "f" * 64),),
    )
    assert dict(describe(record)) == {
        "record": record.id,
        "task": "shop / pick",
        "source": "set, test, row 4, g1",
        "licence": "MIT",
        "images": "abababababab 30 x 20",
        "gold": "choice: B",
        "aliases": "the cup",
        "lineage": "import.x@3 ffffffffffff",
        "evidence": '{"cups": 2}',
    }
