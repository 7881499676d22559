"""All numbers of a batch of texts, by the name of their column.

A share lies in [0, 1]; of an empty text every number is 0. Leaves out on purpose: lists of words
(stop words, flagged words), which would bind the numbers to a language.
"""

import numpy as np
import pyarrow as pa

from pellucid.data.statistics import repeats
from pellucid.data.statistics.points import (
    DIGIT,
    LETTER,
    Points,
    Spans,
    filled_lines,
    lines,
    lower,
    paragraphs,
    points,
    words,
)

TOP, AGAIN = (2, 3, 4), (5, 6, 7, 8, 9, 10)
"""Words of the runs that are looked at: the most frequent one, and all that stood there before."""
WINDOW = 10
"""Characters, and words, of the runs of `character_repetition` and `word_repetition`."""
COUNTS = ("characters", "words", "letter_words", "lines", "longest_line")
SHARES = (
    "mean_word_length", "mean_line_length", "alphanumeric", "special", "letter_word_share",
    "hashes", "ellipses", "bullet_lines", "ellipsis_lines", "repeated_lines",
    "repeated_line_characters", "repeated_paragraphs", "repeated_paragraph_characters",
    *(f"top_{length}_gram" for length in TOP), *(f"repeated_{length}_grams" for length in AGAIN),
    "word_repetition", "character_repetition",
)  # fmt: skip


def measure(texts: pa.Array) -> dict[str, np.ndarray]:
    """The numbers of texts, (texts,) int64 or float64 each.

    Args:
        texts: a string column without chunks; null is an empty text.
    """
    found = points(texts)
    said = words(found)
    hashed = repeats.Hashed(found.codes)
    return {
        "characters": found.ends - found.starts,
        **_characters(found),
        **_words(found, said),
        **_lines(found, said),
        **_again(found, said, hashed),
        "character_repetition": repeats.character_repetition(found, hashed, WINDOW),
    }


def _characters(found: Points) -> dict[str, np.ndarray]:
    letters = _inside(found, found.kinds == LETTER)
    digits = _inside(found, found.kinds == DIGIT)
    size = found.ends - found.starts
    return {
        "alphanumeric": _share(letters + digits, size),
        "special": _share(size - letters, size),
    }


def _words(found: Points, said: Spans) -> dict[str, np.ndarray]:
    """Words that hold a letter or digit count as words, and signs alone for the shares only."""
    letter, solid = _holds(found, said, LETTER), _holds(found, said, LETTER | DIGIT)
    real, with_letter = _of_text(said, solid), _of_text(said, letter)
    length = _of_text(said, np.where(solid, said.lengths, 0))
    dots = _dots(found)
    return {
        "words": real,
        "letter_words": with_letter,
        "mean_word_length": _share(length, real),
        "letter_word_share": _share(with_letter, said.counts),
        "hashes": _share(_inside(found, found.codes == ord("#")), said.counts),
        "ellipses": _share(dots, said.counts),
    }


def _lines(found: Points, said: Spans) -> dict[str, np.ndarray]:
    whole = lines(found)
    longest = np.zeros(len(found.starts), np.int64)
    some = whole.counts > 0
    longest[some] = np.maximum.reduceat(np.append(whole.lengths, 0), whole.first[:-1][some])
    from_, to = np.searchsorted(said.begins, [whole.begins, whole.ends])
    filled = np.flatnonzero(to > from_)
    head = found.codes[said.begins[from_[filled]]]
    last = said.ends[to[filled] - 1]
    end = found.codes[last - 1]
    dots = (end == ord(".")) & (said.lengths[to[filled] - 1] >= 3)
    for back in (2, 3):
        dots &= found.codes[last - back] == ord(".")
    bullets, ellipses = np.zeros(len(whole.begins), bool), np.zeros(len(whole.begins), bool)
    bullets[filled] = (head == ord("•")) | (head == ord("-"))
    ellipses[filled] = dots | (end == ord("…"))
    return {
        "lines": whole.counts,
        "longest_line": longest,
        "mean_line_length": _share(found.ends - found.starts, whole.counts),
        "bullet_lines": _share(_of_text(whole, bullets), whole.counts),
        "ellipsis_lines": _share(_of_text(whole, ellipses), whole.counts),
    }


def _again(found: Points, said: Spans, hashed: repeats.Hashed) -> dict[str, np.ndarray]:
    """What is said again: lines, paragraphs, runs of words."""
    size = found.ends - found.starts
    out = {}
    filled = filled_lines(found)
    for name, spans in (("line", filled), ("paragraph", paragraphs(found, filled))):
        count, chars = repeats.repeated_share(spans, hashed.of(spans.begins, spans.ends))
        out[f"repeated_{name}s"] = _share(count, spans.counts)
        out[f"repeated_{name}_characters"] = _share(chars, size)
    most, taken = repeats.word_runs(said, hashed.of(said.begins, said.ends), TOP, AGAIN)
    out |= {f"top_{n}_gram": _share(one, size) for n, one in zip(TOP, most, strict=True)}
    out |= {f"repeated_{n}_grams": _share(one, size) for n, one in zip(AGAIN, taken, strict=True)}
    bare = _bare(found, said)
    small = repeats.Hashed(lower()[found.codes])
    out["word_repetition"] = repeats.word_repetition(bare, small.of(bare.begins, bare.ends), WINDOW)
    return out


def _bare(found: Points, said: Spans) -> Spans:
    """Words from their first to their last letter; those without a letter fall out."""
    letters = np.flatnonzero(found.kinds == LETTER)
    from_, to = np.searchsorted(letters, [said.begins, said.ends])
    keep = to > from_
    total = np.concatenate([[0], np.cumsum(keep)])
    begins, ends = letters[from_[keep]], letters[to[keep] - 1] + 1
    return Spans(begins, ends, total[said.first])


def _dots(found: Points) -> np.ndarray:
    """Ellipses of each text: three points in a row, or the one sign."""
    inside = found.codes == ord(".")
    edge = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0))
    begins, ends = edge[0::2], edge[1::2]
    text = np.searchsorted(found.ends, begins)
    rows = np.bincount(text, weights=(ends - begins) // 3, minlength=len(found.ends))
    dots: np.ndarray = rows.astype(np.int64) + _inside(found, found.codes == ord("…"))
    return dots


def _holds(found: Points, said: Spans, kind: np.uint8) -> np.ndarray:
    """(words,) bool: whether a word holds a character of a kind."""
    if not len(said.begins):
        return np.zeros(0, bool)
    some = np.maximum.reduceat(found.kinds & kind, said.begins)  # spaces between have no such kind
    held: np.ndarray = some > 0
    return held


def _inside(found: Points, these: np.ndarray) -> np.ndarray:
    """How many characters of each text are these."""
    at = np.searchsorted(np.flatnonzero(these), np.stack([found.starts, found.ends]))
    count: np.ndarray = at[1] - at[0]
    return count


def _of_text(spans: Spans, values: np.ndarray) -> np.ndarray:
    total = np.concatenate([[0], np.cumsum(values)])
    sums: np.ndarray = total[spans.first[1:]] - total[spans.first[:-1]]
    return sums


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = part / np.maximum(whole, 1)
    return share
