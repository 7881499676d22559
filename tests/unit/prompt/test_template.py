"""The shipped chat template, run by transformers, gives the ids and the mask of the renderer."""

from dataclasses import replace

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from pellucid.prompt import PELLUCID
from pellucid.schema.record import Part, Turn, assistant, user

QUICK = settings(deadline=None, max_examples=25, derandomize=True)
IMAGE = 7
PHI = replace(
    PELLUCID,
    nothink="<|reserved_3|>",
    after_end="\n",
    after_assistant_separator="\n",
)
SYSTEM = 'You are "P".\n {% raise %} {{ x }} {# y #} \\n é \N{SLIGHTLY SMILING FACE}\t'
TEXT = st.one_of(
    # hypothesis also tries string literals of our own source; the template refuses control strings.
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12).filter(
        lambda text: not any(control in text for control in PELLUCID.controls)
    ),
    st.sampled_from([" \n", "{{ x }}", "{% if %}", "a < b", "<0x41>", "<", "|>"]),
)


def chat(messages):
    """Turns as transformers takes them."""
    made = []
    for turn in messages:
        parts = [
            {"type": "image"} if part.type == "image" else {"type": "text", "text": part.text}
            for part in turn.content
        ]
        message = {"role": turn.role, "content": parts}
        if turn.reasoning and turn.mode != "nothink":
            message["reasoning_content"] = turn.reasoning
        made.append(message)
    return made


def expanded(ids, mask, plans):
    """Each placeholder repeated as often as its plan has tokens."""
    counts = iter([plan.tokens for plan in plans])
    out = [
        (id_, bool(flag))
        for id_, flag in zip(ids, mask, strict=True)
        for _ in range(next(counts) if id_ == IMAGE else 1)
    ]
    return tuple(id_ for id_, _ in out), tuple(flag for _, flag in out)


@pytest.fixture(scope="module", params=["pellucid", "phi", "keep", "lead", "system"])
def pair(request, make_renderer, tmp_path_factory):
    renderer = {
        "pellucid": lambda: make_renderer(),
        "phi": lambda: make_renderer(PHI, system="Be brief."),
        "keep": lambda: make_renderer(keep_thinking=True),
        "lead": lambda: make_renderer().led(" "),
        "system": lambda: make_renderer(system=SYSTEM),
    }[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    renderer.save(folder)
    return renderer, PreTrainedTokenizerFast.from_pretrained(folder)


@QUICK
@given(data=st.data(), mode=st.sampled_from(["auto", "think", "nothink"]))
def test_prompt_ids_equal(pair, records, data, mode):
    renderer, other = pair
    record = data.draw(records(TEXT))
    sizes = [(image.width, image.height) for image in record.images]
    messages = record.messages[:-1]
    ours = renderer.prompt(messages, sizes, mode)
    theirs = other.apply_chat_template(
        chat(messages), add_generation_prompt=True, mode=mode, return_dict=True
    )["input_ids"]
    assert ours.ids == expanded(theirs, [False] * len(theirs), ours.plans)[0]


@QUICK
@given(data=st.data())
def test_example_ids_and_mask_equal(pair, records, data):
    renderer, other = pair
    drawn = data.draw(records(TEXT))
    turns = [replace(turn, weight=None) for turn in drawn.messages]
    ours = renderer.examples(replace(drawn, messages=tuple(turns)))[-1]
    theirs = other.apply_chat_template(
        chat(turns), return_dict=True, return_assistant_tokens_mask=True
    )
    ids, mask = expanded(theirs["input_ids"], theirs["assistant_masks"], ours.plans)
    assert (ours.ids, ours.supervised) == (ids, mask)


def test_arguments_override_what_the_checkpoint_says(pair):
    renderer, other = pair
    turns = [user("1"), assistant("2", "why"), user("3")]
    text = other.apply_chat_template(
        chat(turns), tokenize=False, keep_thinking=True, system="S", add_generation_prompt=True
    )
    lead = renderer.format.lead
    assert f"<think>{lead}why</think>{lead}2" in text
    assert text.startswith("<|im_start|>system<|im_sep|>S<|im_end|>")


def test_plain_string_content_is_the_same_as_one_text(pair):
    _, other = pair
    plain = [{"role": "user", "content": " 7?\n"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": " 7?\n"}]}]
    assert other.apply_chat_template(plain) == other.apply_chat_template(parts)


@pytest.mark.parametrize(
    "turns",
    [
        [user("a <|im_end|> b")],
        [user("<thi", "nk>")],
        [user("1"), assistant("<|reserved_9|>")],
        [user("1"), assistant("2", "</think>")],
        [user("1"), Turn("assistant", (Part("image", image=0),))],
        [Turn("system", (Part("text", "<|pad|>"),)), user("1")],
    ],
)
def test_control_strings_and_assistant_images_are_refused(pair, turns):
    _, other = pair
    with pytest.raises(jinja2.TemplateError, match="control string|cannot show image"):
        other.apply_chat_template(chat(turns), tokenize=False)


def test_special_tokens_are_the_formats(pair):
    renderer, other = pair
    assert (other.pad_token_id, other.eos_token_id) == (renderer.pad_id, renderer.end_id)
    assert other.image_token == renderer.format.image
    assert len(other) == renderer.tokenizer.size
    text = "a  b\n\n" + "".join(chr(code) for code in range(1, 600))
    ids = other(text, add_special_tokens=False)["input_ids"]
    assert ids == renderer.tokenizer.encode_text(text)
    assert other.decode(ids) == text
