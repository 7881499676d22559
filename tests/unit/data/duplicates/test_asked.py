"""Questions of one picture and gold: joined by most pairs, whatever the order of the rows."""

from itertools import permutations
from pathlib import Path

from benchmarks.planted import Row, build, drawn, png

from pellucid import store
from pellucid.data.duplicates.build import find_duplicates

PICTURE = png(drawn("notices", 3))
QUESTIONS = (
    "How many lines are there?",
    "What is the price of tea in 1999?",
    "Work out what tea cost in the year 1999.",
    "What is the price of milk in 1999?",
    "What is the price of tea in 1998?",
)


def groups(folder: Path, order: tuple[int, ...]) -> set[frozenset[str]]:
    build(folder, [Row((PICTURE,), QUESTIONS[at], "7") for at in order], shard_rows=2)
    find_duplicates([folder])
    labels = {
        row["id"]: row["vqa_cluster"]
        for row in store.read_label(folder, "duplicates", 2).to_pylist()
    }
    by: dict[str, set[str]] = {}
    for record in store.open(folder).records():
        by.setdefault(labels[record.id], set()).add(record.messages[0].text)
    return {frozenset(some) for some in by.values()}


def test_other_words_are_one_cluster_and_other_questions_are_not(tmp_path: Path) -> None:
    wanted = {frozenset(QUESTIONS[1:3]), *(frozenset({QUESTIONS[at]}) for at in (0, 3, 4))}
    for number, order in enumerate(list(permutations(range(5)))[::40]):
        assert groups(tmp_path / str(number), order) == wanted
