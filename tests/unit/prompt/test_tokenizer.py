"""The shipped tokenizer: lossless, safe against control strings in text, rebuilt byte for byte."""

import json

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import DiskError, UserError
from pellucid.base.paths import ASSETS
from pellucid.data.synth.charts import LABELS, TITLES
from pellucid.data.synth.language import drawn_words, scene_text
from pellucid.data.synth.lexicon import COMMANDS, WORDS
from pellucid.prompt import Detokenizer, Tokenizer
from pellucid.prompt.train_tokenizer import FOLDER, corpus_lines, train

QUICK = settings(deadline=None, max_examples=50, derandomize=True)
FILE = FOLDER / "tokenizer.json"
BYTES = range(32, 32 + 256)
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
TRICKY = st.lists(
    st.one_of(TEXT, st.sampled_from(["<think>", "<|image|>", "<|im_end|>", "<0x41>", " ", "\n"]))
).map("".join)


def test_layout_of_the_vocabulary(tokenizer):
    tree = json.loads(FILE.read_bytes())
    by_id = sorted(tree["model"]["vocab"], key=tree["model"]["vocab"].get)
    assert len(by_id) == tokenizer.size == 2048
    assert by_id[:10] == [
        "<|pad|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>", "<think>", "</think>", "<nothink>",
        "<|image|>", "<|reserved_0|>", "<|reserved_1|>",
    ]  # fmt: skip
    assert tokenizer.controls == tuple(by_id[:32])
    assert by_id[32:288] == [f"<0x{byte:02X}>" for byte in range(256)]
    assert [token["id"] for token in tree["added_tokens"]] == list(range(32))


def test_rebuilding_gives_the_shipped_bytes(tokenizer):
    assert (FOLDER / "corpus" / "words.txt").read_text(encoding="utf-8") == drawn_words()
    rebuilt = train(corpus_lines()).encode("utf-8")
    assert rebuilt == FILE.read_bytes()
    assert Tokenizer(rebuilt).hash == tokenizer.hash


def test_the_frozen_vocabulary_still_fits_what_scenes_say(tokenizer):
    """Its text was written once; what scenes say since may cost a little more, not much."""

    def cost(text: str) -> float:
        return len(tokenizer.encode_text(text)) / len(text.split())

    frozen = (FOLDER / "corpus" / "scenes.txt").read_text(encoding="utf-8")
    assert cost(scene_text()) < 1.1 * cost(frozen)


def test_every_word_that_a_picture_shows_is_one_token(tokenizer):
    words = drawn_words().splitlines()
    assert {word.strip() for word in words} >= {*WORDS, *COMMANDS, *TITLES, *sum(LABELS, ())}
    for word in words:
        assert len(tokenizer.encode_text(word)) == 1, word


def test_training_text_is_small_and_licensed():
    files = sorted((ASSETS / "tokenizer" / "corpus").iterdir())
    names = ["LICENSE.gsm8k", "SOURCE.md", "english.txt", "scenes.txt", "words.txt"]
    assert [file.name for file in files] == names
    assert sum(file.stat().st_size for file in files) < 400_000


@QUICK
@given(text=TRICKY)
def test_every_text_survives_and_holds_no_control_token(tokenizer, text):
    ids = tokenizer.encode_text(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, keep_control=False) == text
    assert min(ids, default=32) >= 32


def test_digits_stand_alone(tokenizer):
    assert tokenizer.encode_text("1234567890") == [
        tokenizer.encode_text(digit)[0] for digit in "1234567890"
    ]
    assert tokenizer.decode(tokenizer.encode_text("3 + 4")[1:2]) == " + "


def test_a_foreign_character_becomes_its_bytes(tokenizer):
    assert tokenizer.encode_text("é") == [BYTES[0xC3], BYTES[0xA9]]
    assert tokenizer.decode([BYTES[0xC3], BYTES[0xA9]]) == "é"


def test_a_literal_byte_name_is_text(tokenizer):
    ids = tokenizer.encode_text("<0x41>")
    assert len(ids) > 1 and not set(ids) & set(BYTES)
    assert tokenizer.decode(ids) == "<0x41>"
    assert tokenizer.decode([BYTES[0x41]]) == "A"


def test_control_tokens_are_spelt_out_or_left_out(tokenizer):
    ids = [tokenizer.token_id("<think>"), *tokenizer.encode_text("a"), 3]
    assert tokenizer.decode(ids) == "<think>a<|im_end|>"
    assert tokenizer.decode(ids, keep_control=False) == "a"


def test_streaming_holds_back_half_a_character(tokenizer):
    stream = Detokenizer(tokenizer)
    flag = "\N{SLIGHTLY SMILING FACE}".encode()
    pushed = [stream.push(BYTES[byte]) for byte in flag]
    assert pushed == ["", "", "", "\N{SLIGHTLY SMILING FACE}"]
    assert [stream.push(BYTES[0xC3]), stream.push(tokenizer.encode_text("a")[0])] == ["", "�a"]
    assert [stream.push(BYTES[0xC3]), stream.finish()] == ["", "�"]


@QUICK
@given(ids=st.lists(st.one_of(st.sampled_from(BYTES), st.integers(-5, 2100))), keep=st.booleans())
def test_streaming_equals_decoding_at_once(tokenizer, ids, keep):
    stream = Detokenizer(tokenizer, keep_control=keep)
    streamed = "".join([stream.push(id_) for id_ in ids]) + stream.finish()
    assert streamed == tokenizer.decode(ids, keep_control=keep)


def test_half_a_surrogate_pair_is_refused(tokenizer):
    with pytest.raises(UserError, match="holds half of a surrogate pair"):
        tokenizer.encode_text("a\ud800b")


def test_unknown_control_string_suggests_the_nearest(tokenizer):
    with pytest.raises(UserError, match="did you mean '<nothink>'"):
        tokenizer.token_id("<notthink>")


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a BPE over bytes, or with byte fallback"),
        (b'{"model": {"type": "Unigram"}}', "is not a BPE over bytes, or with byte fallback"),
        (
            b'{"model": {"type": "BPE", "byte_fallback": true}}',
            "is not a BPE over bytes, or with byte fallback",
        ),
        (FILE.read_bytes().replace(b'_fallback": true', b'_fallback": false'), "is not a BPE"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_refused(source, rule):
    with pytest.raises(UserError, match=rule):
        Tokenizer(source)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DiskError, match="reading the tokenizer .*no such file"):
        Tokenizer.load(tmp_path / "tokenizer.json")


@pytest.fixture(scope="module")
def over_bytes() -> Tokenizer:
    """BPE over bytes, as Phi-4's; its thinking tags are added tokens that are not special."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["the value of the red bar " * 9], trainer)
    made.add_special_tokens(["<|end|>"])
    made.add_tokens(["<think>"])
    return Tokenizer(made.to_str().encode())


@QUICK
@given(text=TRICKY)
def test_text_over_bytes_comes_back(over_bytes: Tokenizer, text: str) -> None:
    ids = over_bytes.encode_text(text)
    assert over_bytes.decode(ids) == text
    stream = Detokenizer(over_bytes)
    assert "".join([*map(stream.push, ids), stream.finish()]) == text


def test_added_tokens_that_are_not_special_stay_text_too(over_bytes: Tokenizer) -> None:
    for control in ("<think>", "<|end|>"):
        ids = over_bytes.encode_text(f"a {control} b")
        assert not any(map(over_bytes.is_control, ids))
        assert over_bytes.decode(ids) == f"a {control} b"


def test_the_format_s_own_text_has_control_tokens(over_bytes: Tokenizer) -> None:
    think, end = over_bytes.token_id("<think>"), over_bytes.token_id("<|end|>")
    ids = over_bytes.encode_own("open with <think>, close<|end|>")
    assert ids == [
        *over_bytes.encode_text("open with "), think, *over_bytes.encode_text(", close"), end
    ]  # fmt: skip


def test_a_byte_that_is_missing_is_told(over_bytes: Tokenizer) -> None:
    tree = json.loads(over_bytes.source)
    del tree["model"]["vocab"]["\u0120"]  # the letter of the space
    with pytest.raises(UserError, match="all 256 byte entries"):
        Tokenizer(json.dumps(tree).encode())
    plain = json.loads(over_bytes.source) | {"decoder": None}
    with pytest.raises(UserError, match="is not a BPE over bytes"):
        Tokenizer(json.dumps(plain).encode())
