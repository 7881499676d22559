"""Blocked words: what matches, and that nothing of them is ever shown, however text arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.recipe.serve import ServeOptions
from pellucid.serve import filters
from pellucid.serve.answering import Gate
from pellucid.serve.filters.words import Words, split


@pytest.mark.parametrize(
    ("word", "text", "blocked"),
    [
        ("bomb", "a bomb.", True),
        ("bomb", "a BOMB", True),
        ("bomb", "bombastic", False),
        ("bomb", "abomb", False),
        ("bomb", "bo\u200bmb", True),
        ("bomb", "b\u00f6mb", True),
        ("bomb", "bo\u0308mb", True),
        ("bomb", "\uff42\uff4f\uff4d\uff42", True),
        ("caf\u00e9", "cafe", True),
        ("open sesame", "open,\n  SESAME!", True),
        ("open sesame", "open the sesame", False),
        ("open sesame", "sesame open", False),
        ("\u70b8\u5f39", "\u5236\u9020\u70b8\u5f39\u7684", True),
        ("\u70b8\u5f39", "\u70b8\u7684\u5f39", False),
        ("4chan", "4chan", True),
        ("4chan", "4 chan", False),
        ("stra\u00dfe", "STRASSE", True),
    ],
)
def test_what_matches(word: str, text: str, blocked: bool) -> None:
    assert Words([word]).blocks(text, ended=True) is blocked


def test_a_word_at_the_end_is_whole_only_when_nothing_follows() -> None:
    words = Words(["bomb"])
    assert words.blocks("a bomb", ended=True) and not words.blocks("a bomb", ended=False)
    assert words.blocks("a bomb ", ended=False)


def test_what_may_be_shown_before_the_rest_is_known() -> None:
    words = Words(["open sesame now"])
    # The unfinished word waits, and so does every beginning of the phrase.
    for text, shown in (
        ("hello wor", "hello "),
        ("hello world ", "hello world "),
        ("say open", "say "),
        ("say open ", "say "),
        ("say open ses", "say "),
        ("say open sesame, ", "say "),
        ("say open sesame ne", "say open sesame "),
        ("say open sesame next ", "say open sesame next "),
        ("open open ", "open "),
    ):
        assert text[: words.safe(text)] == shown, text


def test_an_entry_without_a_word_is_refused() -> None:
    with pytest.raises(UserError, match=r"serve\.blocked_words.*holds no letter or digit"):
        filters.build(ServeOptions(blocked_words=("fine", "?!")))
    assert filters.build(ServeOptions()) == ()


pieces = st.lists(
    st.sampled_from(["open", "sesame", "ses", "ame", "o", "pen", " ", "  ", ",", "s", "\u5f39",
                     "\u70b8", "B", "omb", "x", "\u0308", "\u200b"]),
    max_size=25,
)  # fmt: skip


@given(pieces)
def test_however_text_arrives_no_blocked_phrase_is_shown(arriving: list[str]) -> None:
    rule = Words(["open sesame", "bomb", "\u70b8\u5f39"])
    text = "".join(arriving)
    gate = Gate([rule])
    shown = [gate.push(piece) for piece in arriving]
    shown.append(gate.push("", ended=True))
    assert text.startswith("".join(shown))
    assert not rule.blocks("".join(shown), ended=True)
    assert (gate.blocked_by is not None) is rule.blocks(text, ended=True)
    if gate.blocked_by is None:
        assert "".join(shown) == text
    else:
        # Not even the beginning of what was blocked.
        words = [word.folded for word in split("".join(shown))]
        rest = [word.folded for word in split(text[len("".join(shown)) :])]
        assert not (words[-1:] == ["open"] and rest[:1] == ["sesame"])


def test_without_filters_text_passes_at_once() -> None:
    gate = Gate([])
    assert [gate.push("a"), gate.push("b"), gate.push("", ended=True)] == ["a", "b", ""]
