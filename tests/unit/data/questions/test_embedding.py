"""A user's embedding: what it adds, what it may not, and how its mistakes are told."""

import json
from pathlib import Path

import pytest
from benchmarks.planted import Row, build, drawn, png

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.data.contamination.build import find_contamination
from pellucid.data.duplicates.build import find_duplicates
from pellucid.data.questions.embedding import Embedding

OWN = '''
"""Knows two words for one thing."""
CALLS = []


def vectors(texts):
    CALLS.append(len(texts))
    assert len(texts) <= 256 and all(isinstance(one, str) for one in texts)
    return [[1.0, 0.2] if "gizmo" in one or "whatsit" in one else [0.0, 3.0] for one in texts]


def flat(texts):
    return [1.0 for _ in texts]


def fewer(texts):
    return [[1.0]]


def nothing(texts):
    return [[float("nan")] for _ in texts]


def fails(texts):
    raise RuntimeError("no model here")


def two(texts, more):
    return texts
'''
ASK, AGAIN = "Who owns the gizmo?", "Who owns the whatsit?"


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "my.py").write_text(OWN)
    return str(tmp_path / "my.py")


def test_it_joins_what_words_part_and_not_what_contradicts(own: str) -> None:
    decide = Embedding(f"{own}:vectors", 0.9).decide
    said = decide(
        [
            (ASK, AGAIN),
            (ASK, "Who owns the lamp?"),
            ("Gizmo 3 of 1999, gizmo?", "Whatsit 3 of 1998, whatsit?"),
            ("Which gizmo is highest?", "Which whatsit is lowest?"),
            ("How many lines are there?", "Count the lines."),
            ("What is the gizmo number?", "What is the whatsit date?"),
        ]
    )
    assert [one.same for one in said] == [True, False, False, False, True, False]
    assert said[0].share == 1.0


def test_a_higher_threshold_finds_less(own: str) -> None:
    pair = [("gizmo owners", "lamp")]  # cosine 0.196
    assert Embedding(f"{own}:vectors", 0.19).decide(pair)[0].same
    assert not Embedding(f"{own}:vectors", 0.2).decide(pair)[0].same


def test_both_commands_use_it(own: str, tmp_path: Path) -> None:
    picture = png(drawn("notices", 1))
    build(tmp_path / "eval", [Row((picture,), ASK, "Ann")], split="test")
    build(tmp_path / "train", [Row((picture,), AGAIN, "Ann"), Row((picture,), ASK, "Ann")])
    for embedding, verdicts, clusters in (
        (None, ["full", "image only"], 2),
        (Embedding(f"{own}:vectors", 0.9), ["full", "full"], 1),
    ):
        find_contamination([tmp_path / "train"], [tmp_path / "eval"], embedding=embedding)
        table = store.read_label(tmp_path / "train", "contamination", 2).to_pylist()
        assert sorted(row["verdict"] for row in table) == verdicts
        found = find_duplicates([tmp_path / "train"], embedding=embedding)
        assert found.vqa_clusters == clusters
        for label in ("contamination@2", "duplicates@2"):
            path = tmp_path / "train" / "labels" / label / "manifest.json"
            params = json.loads(path.read_text())["params"]
            assert ("embedding" in params) == bool(embedding)


def test_with_many_of_one_gold_it_finds_the_candidates(own: str, tmp_path: Path) -> None:
    rows = [Row((), f"Which lamp has colour number {at}?", "red") for at in range(40)]
    build(tmp_path / "eval", [*rows, Row((), "gizmo", "red")], split="test")
    build(tmp_path / "train", [Row((), "whatsit", "red")])
    for embedding, hits in ((None, 0), (Embedding(f"{own}:vectors", 0.9), 1)):
        found = find_contamination([tmp_path / "train"], [tmp_path / "eval"], embedding=embedding)
        assert found.verdicts["text only"] == hits


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("flat", r"shape \(2,\) for 2 texts"),
        ("fewer", r"shape \(1, 1\) for 2 texts"),
        ("nothing", "not finite"),
        ("fails", "raised RuntimeError: no model here"),
    ],
)
def test_what_it_does_wrong_is_a_user_error(own: str, function: str, told: str) -> None:
    embedding = Embedding(f"{own}:{function}", 0.9)
    with pytest.raises(UserError, match=told):
        embedding.decide([("a b", "c d")])


@pytest.mark.parametrize("where", ["my.py", "none.py:vectors", "{own}:vektors", "{own}:two"])
def test_what_is_not_there_is_a_user_error(own: str, where: str) -> None:
    with pytest.raises(UserError, match="--embedding"):
        Embedding(where.format(own=own), 0.9)
