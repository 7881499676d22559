"""Words as numbers: the same words have the same hash wherever they stand, and only they."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data.duplicates import stopwords, words
from pellucid.data.duplicates.minhash import band_keys

PIECES = st.text(alphabet="abs 1.é-日S", max_size=20)


def found(*texts: str | None) -> words.Words:
    return words.words(pa.array(texts, pa.large_string()))


def content(text: str) -> int:
    return int(stopwords.content_hash(found(text))[0])


def test_words_of_a_batch_by_hand() -> None:
    held = found("The cat's 2 hats", None, "日本 HATS", "")
    assert held.counts.tolist() == [5, 0, 3, 0]
    assert held.hashes[4] == held.hashes[7], "hats, whatever the case and the place"
    assert len(set(held.hashes[5:].tolist())) == 3, "one character of Japanese is one word"
    assert held.numeric.tolist() == [False, False, False, True, False, False, False, False]
    assert held.stems[4] == found("hat").stems[0] and held.hashes[4] != found("hat").hashes[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=8))
def test_a_text_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    together = found(*texts)
    runs, starts = words.runs(together, 3)
    for at, text in enumerate(texts):
        alone = found(text)
        mine = slice(together.starts[at], together.starts[at + 1])
        assert together.hashes[mine].tolist() == alone.hashes.tolist()
        assert together.stems[mine].tolist() == alone.stems.tolist()
        own, _ = words.runs(alone, 3)
        assert runs[starts[at] : starts[at + 1]].tolist() == own.tolist()


def test_runs_by_hand() -> None:
    runs, starts = words.runs(found("a b c d", "b c d", "b c", ""), 3)
    assert np.diff(starts).tolist() == [2, 1, 1, 0]
    assert runs[1] == runs[2] and runs[3] not in runs[:3], "b c d twice; b c is another"


def test_order_counts_in_one_hash_and_not_in_the_other() -> None:
    held = found("one two three", "three one two", "one two")
    bag = words.bag(held.hashes, held.starts)
    ordered = words.ordered(held.hashes, held.starts)
    assert bag[0] == bag[1] != bag[2]
    assert len(set(ordered.tolist())) == 3


def test_batches_hold_every_row() -> None:
    texts = pa.array(["x" * 700_000, "y" * 700_000, "", "z"], pa.large_string())
    parts = words.batches(texts)
    assert len(parts) > 1 and sum((part.to_pylist() for part in parts), []) == texts.to_pylist()


def test_equal_minima_estimate_the_jaccard_similarity() -> None:
    """60 of 100 values in common: 0.6 of 400 minima are equal, to four standard errors."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 2**63, 100).astype(np.uint64)
    both = np.concatenate([values[:80], values[20:]])
    keys = band_keys(both, np.array([0, 80, 160]), bands=400, rows=1, seed=3)
    share = float((keys[:, 0] == keys[:, 1]).mean())
    assert share == pytest.approx(0.6, abs=4 * (0.24 / 400) ** 0.5)
    assert not (band_keys(both, np.array([0, 80, 160]), 400, 1, seed=4) == keys).any()


def test_a_text_without_words_has_no_band() -> None:
    held = found("", "a b")
    keys = band_keys(*words.runs(held, 5), bands=3, rows=2, seed=0)
    assert keys[:, 0].tolist() == [0, 0, 0] and keys[:, 1].all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is the price of tea?", "According to the chart, tell me the price for tea.", True),
        ("How many bars are there?", "Count the bars.", True),
        ("What is the price of tea?", "What is the price of milk?", False),
        ("Is the disc left of the box?", "Is the box left of the disc?", False),
        ("Which bars are red?", "Which bars are not red?", False),
        ("What is it?", "What is that?", False),
    ],
)
def test_content_words(one: str, other: str, same: bool) -> None:
    assert (content(one) == content(other)) is same
