"""Text statistics: each one by hand, then all of them against plain Python, word by word."""

import re
import unicodedata
from collections import Counter
from math import isqrt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data.statistics.measure import COUNTS, SHARES, measure


def of(text: str | None) -> dict[str, float]:
    found = measure(pa.array(["x y", text, "x y x y"], pa.large_string()))
    return {name: values[1].item() for name, values in found.items()}


def words(text: str) -> str:
    """A word for each letter."""
    return " ".join(text)


BY_HAND: list[tuple[str, str, float]] = [
    ("characters", "née 42", 6),
    ("words", "Add 42 -- and e.g. ...", 4),
    ("letter_words", "Add 42 -- and e.g. ...", 3),
    ("lines", "a\n\nb\n", 3),
    ("lines", "a\nb", 2),
    ("longest_line", "a\n12345\nb\n", 5),
    ("mean_line_length", "abc\nabc", 3.5),
    ("mean_word_length", "ab abcd --", 3),
    ("alphanumeric", "ab 1-", 3 / 5),
    ("special", "ab 1-", 3 / 5),
    ("letter_word_share", "Add 42 -- and", 2 / 4),
    ("hashes", "#a ## b c", 3 / 4),
    ("ellipses", "well... so… no.. ......", 4 / 4),
    ("bullet_lines", "• a\n  - b\nc\n\n", 2 / 4),
    ("ellipsis_lines", "a...\nb…  \nc..\n...", 3 / 4),
    ("repeated_lines", "ab\n\nab\ncd\nab", 2 / 4),
    ("repeated_line_characters", "ab\n\nab\ncd\nab", 4 / 12),
    ("repeated_paragraphs", "a\nb\n\nc\n\na\nb", 1 / 3),
    ("repeated_paragraph_characters", "a\nb\n\nc\n\na\nb", 3 / 11),
    # "a b" and "b c" stand there twice; "a b" comes first: 2 x 3 characters of 11.
    ("top_2_gram", words("abcabc"), 6 / 11),
    ("top_3_gram", words("abcabc"), 10 / 11),
    ("top_4_gram", words("abcabc"), 0),
    # The second "abcde" is taken whole, and the search goes on after it.
    ("repeated_5_grams", words("abcdeabcdeabcdx"), 5 / 29),
    ("repeated_5_grams", words("aaaaaaa"), 5 / 13),  # the second run overlaps the first
    ("repeated_6_grams", words("abcdefabcdef"), 6 / 23),
    ("repeated_7_grams", words("abcdefgabcdefg"), 7 / 27),
    ("repeated_8_grams", words("abcdefghabcdefgh"), 8 / 31),
    ("repeated_9_grams", words("abcdefghiabcdefghi"), 9 / 35),
    ("repeated_10_grams", words("abcdefghijabcdefghi"), 0),
    # Ten runs of ten words; the first and the last are one but for case and signs.
    ("word_repetition", words("abcdefghij") + " k, " + words("ABCDEFGHIJ") + ".", 2 / 12),
    # 12 runs of ten characters, 10 different; the two that repeat are within the square root.
    ("character_repetition", "abcdefghij" + "abcdefghij" + "a", 4 / 12),
    # Six runs, all one.
    ("character_repetition", "a" * 15, 6 / 6),
    ("character_repetition", "abcdefghij", 0),
]


@pytest.mark.parametrize(("name", "text", "value"), BY_HAND)
def test_by_hand(name: str, text: str, value: float) -> None:
    assert of(text)[name] == value


def test_every_number_is_worked_out_by_hand() -> None:
    assert {name for name, _, _ in BY_HAND} == {*COUNTS, *SHARES} == set(of("a"))


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_text_is_nought(text: str | None) -> None:
    assert set(of(text).values()) == {0}


def test_no_texts() -> None:
    assert {len(values) for values in measure(pa.array([], pa.large_string())).values()} == {0}


def letter(char: str) -> bool:
    return char.isalpha() or unicodedata.category(char)[0] == "M"


def again(pieces: list[str]) -> tuple[int, int]:
    seen = set[str]()
    count = chars = 0
    for piece in pieces:
        count, chars = (count + 1, chars + len(piece)) if piece in seen else (count, chars)
        seen.add(piece)
    return count, chars


def slowly(text: str) -> dict[str, float]:
    """The same, from the definitions, one text at a time."""
    size, said = len(text) or 1, text.split()
    solid = [word for word in said if any(char.isalnum() or letter(char) for char in word)]
    named = [word for word in said if any(map(letter, word))]
    lines = text.removesuffix("\n").split("\n") if text else []
    filled = [line for line in lines if line]
    paragraphs = [one for one in re.split("\n{2,}", text.strip("\n")) if one]
    dots = text.count("...") + text.count("…")
    out: dict[str, float] = {
        "characters": len(text),
        "words": len(solid),
        "letter_words": len(named),
        "lines": len(lines),
        "longest_line": max(map(len, lines), default=0),
        "mean_word_length": sum(map(len, solid)) / (len(solid) or 1),
        "mean_line_length": len(text) / (len(lines) or 1),
        "alphanumeric": sum(char.isalnum() or letter(char) for char in text) / size,
        "special": sum(not letter(char) for char in text) / size,
        "letter_word_share": len(named) / (len(said) or 1),
        "hashes": text.count("#") / (len(said) or 1),
        "ellipses": dots / (len(said) or 1),
        "bullet_lines": sum(one.lstrip().startswith(("•", "-")) for one in lines)
        / (len(lines) or 1),
        "ellipsis_lines": sum(one.rstrip().endswith(("...", "…")) for one in lines)
        / (len(lines) or 1),
    }
    for name, pieces in (("line", filled), ("paragraph", paragraphs)):
        count, chars = again(pieces)
        out[f"repeated_{name}s"] = count / (len(pieces) or 1)
        out[f"repeated_{name}_characters"] = chars / size
    for length in (2, 3, 4):
        runs = Counter(" ".join(said[at : at + length]) for at in range(len(said) - length + 1))
        best, times = runs.most_common(1)[0] if runs else ("", 0)
        out[f"top_{length}_gram"] = len(best) * times / size if times > 1 else 0
    for length in range(5, 11):
        seen, at, chars = set[tuple[str, ...]](), 0, 0
        while at + length <= len(said):
            run = tuple(said[at : at + length])
            chars += sum(map(len, run)) if run in seen else 0
            at += length if run in seen else 1
            seen.add(run)
        out[f"repeated_{length}_grams"] = chars / size
    bare = list[str]()
    for word in named:
        places = [at for at, char in enumerate(word) if letter(char)]
        bare.append("".join(char.lower() for char in word[places[0] : places[-1] + 1]))
    ten = Counter(tuple(bare[at : at + 10]) for at in range(len(bare) - 9))
    out["word_repetition"] = sum(n for n in ten.values() if n > 1) / (ten.total() or 1)
    windows = Counter(text[at : at + 10] for at in range(len(text) - 9))
    often = sorted((n for n in windows.values() if n > 1), reverse=True)
    most = sum(often[: isqrt(len(windows))])
    out["character_repetition"] = most / (windows.total() or 1)
    return out


PIECES = [
    "tea", "The", "the", "42", "--", "a.b", "“x”", "Ärger", "ÄRGER", "#tag", "...", "wait…", "-",
    "• dot", "3.14", "naïve", "e\u0301t", "茶", "½",
]  # fmt: skip
SHORT = st.text("ab \n", max_size=60)
ANY = st.text(max_size=40).filter(lambda one: "İ" not in one)
PARTS = st.tuples(st.sampled_from(PIECES), st.sampled_from([" ", "  ", "\n", "\n\n", "\n\n\n"]))
TEXTS = st.builds(
    lambda parts, times, cut: "".join(map("".join, parts))[cut:] * times,
    st.lists(PARTS, max_size=40), st.integers(1, 4), st.integers(0, 3),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.lists(TEXTS | SHORT | st.text(max_size=40).filter(lambda one: "İ" not in one), max_size=6)
)
def test_the_same_as_one_by_one(texts: list[str]) -> None:
    found = measure(pa.array(texts, pa.large_string()))
    for at, text in enumerate(texts):
        assert {name: values[at].item() for name, values in found.items()} == slowly(text)
