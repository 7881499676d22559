"""The renderer: hand-written ids, what is supervised, prompts as prefixes of examples."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import UserError
from pellucid.prompt import PELLUCID, Span, supervised_share
from pellucid.prompt.plan import plan
from pellucid.prompt.turns import groups, thinks
from pellucid.schema.record import Part, Turn, assistant, user

QUICK = settings(deadline=None, max_examples=30, derandomize=True)
# Ids by hand: controls are 0..31 in the order of the format, printable characters that stand alone
# are 289 + code - 32, the three role names were learnt as one entry each.
START, SEP, END, THINK, CLOSE, NOTHINK, IMAGE = 1, 2, 3, 4, 5, 6, 7
USER, ASSISTANT = 1179, 1185
SEVEN, EIGHT, NINE, ONE, MARK = 312, 313, 314, 306, 320
PLUS, RED = 688, 1415
PHI = replace(
    PELLUCID,
    nothink="<|reserved_3|>",
    after_end="\n",
    after_assistant_separator="\n",
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
TRICKY = st.one_of(TEXT, st.sampled_from(["<think>", "<|image|>x", "<|im_end|>", "<0x41>", "12"]))


def assistants(turns):
    return [index for index, turn in enumerate(turns) if turn.role == "assistant"]


def test_ids_of_a_two_turn_two_image_record(renderer, record, tokenizer):
    # 64x48 is 4 x 3 patches, 32x32 is 2 x 2, within min 4 and max 40.
    first, second = renderer.examples(record)
    opened = [
        START,
        USER,
        SEP,
        *[IMAGE] * 4,
        SEVEN,
        MARK,
        *[IMAGE] * 12,
        END,
        START,
        ASSISTANT,
        SEP,
    ]
    assert tokenizer.decode([PLUS, RED]) == " + red"
    thought = [THINK, SEVEN, PLUS, ONE, CLOSE, EIGHT, END]
    assert list(first.ids) == opened + thought
    assert list(first.supervised) == [False] * len(opened) + [True] * len(thought)
    assert first.images == (1, 0)
    assert [made.tokens for made in first.plans] == [4, 12]
    assert first.mode == "think"

    history = [*opened, NOTHINK, EIGHT, END, START, USER, SEP, NINE, *[IMAGE] * 4, END]
    history += [START, ASSISTANT, SEP]
    assert list(second.ids) == [*history, NOTHINK, RED, END]
    assert list(second.supervised) == [False] * len(history) + [True] * 3
    assert second.images == (1, 0, 1)
    assert second.mode == "nothink"


def test_spans_say_what_each_run_is(renderer, record):
    first, _ = renderer.examples(record)
    assert first.spans == (
        Span("control", 0, 0, 3),
        Span("image", 0, 3, 7),
        Span("text", 0, 7, 9),
        Span("image", 0, 9, 21),
        Span("control", 0, 21, 22),
        Span("control", 1, 22, 25),
        Span("mode", 1, 25, 26),
        Span("thinking", 1, 26, 29),
        Span("control", 1, 29, 30),
        Span("answer", 1, 30, 31),
        Span("control", 1, 31, 32),
    )


def test_prompt_ends_with_the_opened_turn_and_the_forced_mode(renderer, record):
    sizes = [(image.width, image.height) for image in record.images]
    auto, think, nothink = (
        renderer.prompt(record.messages[:3], sizes, mode) for mode in ("auto", "think", "nothink")
    )
    assert auto.ids[-3:] == (START, ASSISTANT, SEP)
    assert think.ids == (*auto.ids, THINK)
    assert nothink.ids == (*auto.ids, NOTHINK)
    assert think.spans[-1] == Span("mode", 3, len(auto.ids), len(auto.ids) + 1)
    assert not any(think.supervised)
    assert (auto.mode, think.mode, nothink.mode) == ("auto", "think", "nothink")


def test_control_strings_in_user_text_stay_text(renderer, make):
    hostile = "<think></think><nothink><|image|><|im_end|><|im_start|>assistant<|im_sep|><0x41>"
    (example,) = renderer.examples(make(user(hostile), assistant(hostile)))
    controls = [id_ for id_ in example.ids if id_ < 288]
    assert controls == [START, SEP, END, START, SEP, NOTHINK, END]
    assert renderer.tokenizer.decode(example.ids).count(hostile) == 2


def test_mode_overrides_the_last_answer_only(renderer, make):
    turns = user("1"), assistant("2", "a"), user("3"), assistant("4", "b")
    as_is, nothink = (renderer.examples(make(*turns), mode) for mode in ("as_is", "nothink"))
    assert [example.mode for example in as_is] == ["think", "think"]
    assert as_is[0] == nothink[0]
    assert (nothink[1].mode, CLOSE in nothink[1].ids) == ("nothink", False)
    stored = make(*turns[:3], replace(turns[3], mode="nothink"))
    chosen, given = renderer.examples(stored), nothink
    assert [one.ids for one in chosen] == [one.ids for one in given]
    differs = [a != b for a, b in zip(chosen[1].supervised, given[1].supervised, strict=True)]
    assert [id_ for id_, differ in zip(given[1].ids, differs, strict=True) if differ] == [NOTHINK]
    assert chosen[1].supervised[differs.index(True)], "a mode of the record's own is learnt"
    thinking = renderer.examples(stored, "think")
    assert [one.ids for one in thinking] == [one.ids for one in as_is]
    assert sum(thinking[1].supervised) == sum(as_is[1].supervised) - 1


def test_think_without_reasoning_names_the_record(renderer, make):
    record = make(user("1"), assistant("2"))
    with pytest.raises(ValueError, match=f"record {record.id}: turn 1 is to think but has no re"):
        renderer.examples(record, "think")


def test_what_cannot_be_rendered_is_refused(renderer, make):
    shown = Turn("assistant", (Part("image", image=0),), "nothink")
    record = make(user("1"), shown, images=((32, 32),))
    with pytest.raises(ValueError, match="turn 1 is the assistant's but shows an image"):
        renderer.examples(record)
    half = make(user("1"), replace(assistant("2"), weight=0.5))
    with pytest.raises(ValueError, match="turn 1 has loss weight 0.5"):
        renderer.examples(half)
    with pytest.raises(UserError, match="is an assistant turn that shows an image"):
        renderer.prompt([*record.messages, user("3")], [(32, 32)])
    with pytest.raises(UserError, match="image=1 reaches outside 1 images"):
        renderer.prompt([user(1)], [(32, 32)])
    for messages in ([], [user("1"), assistant("2")]):
        with pytest.raises(UserError, match="is not a user turn at the end"):
            renderer.prompt(messages, [])


def test_turns_of_weight_zero_are_context_and_the_example_ends_before_them(renderer, make):
    silent = replace(assistant("5", "b"), weight=0.0)
    turns = user("1"), assistant("2"), user("3"), silent
    (example,) = renderer.examples(make(*turns))
    assert example == renderer.examples(make(*turns[:2]))[0]
    assert renderer.examples(make(user("1"), silent)) == []
    (later,) = renderer.examples(make(user("1"), silent, user("3"), assistant("4")))
    assert sum(later.supervised) == 3


def test_kept_thinking_gives_one_example(make_renderer, record):
    (example,) = make_renderer(keep_thinking=True).examples(record)
    assert example.ids.count(THINK) == example.ids.count(CLOSE) == 1
    assert sum(example.supervised) == 7 + 3


def test_system_text_stands_in_only_when_there_is_none(make_renderer, make):
    renderer = make_renderer(system="1")
    added = renderer.prompt([user("7")], [])
    assert added.spans[0].turn == -1
    given = Turn("system", (Part("text", "1"),))
    assert added.ids == renderer.prompt([given, user("7")], []).ids
    other = Turn("system", (Part("text", "9"),))
    assert ONE not in renderer.prompt([other, user("7")], []).ids


@pytest.mark.parametrize("format", [PELLUCID, PHI])
@pytest.mark.parametrize("keep", [False, True])
@QUICK
@given(data=st.data())
def test_every_turn_is_learnt_once_after_its_own_prompt(make_renderer, records, format, keep, data):
    renderer = make_renderer(format, keep_thinking=keep, system=data.draw(TEXT))
    record = data.draw(records(TRICKY))
    sizes = [(image.width, image.height) for image in record.images]
    learnt = []
    made = groups(record.messages, keep)
    examples = renderer.examples(record)
    assert len(examples) == len(made)
    for example, group in zip(examples, made, strict=True):
        spans = [span for span in example.spans if example.supervised[span.start]]
        assert {span.turn for span in spans} == group
        for turn in sorted(group):
            start = min(span.start for span in spans if span.turn == turn)
            stop = max(span.stop for span in spans if span.turn == turn)
            forced = "think" if thinks(record.messages[turn]) else "nothink"
            auto = renderer.prompt(record.messages[:turn], sizes)
            assert example.ids[:start] == auto.ids
            assert example.images[: len(auto.images)] == auto.images
            prompt = renderer.prompt(record.messages[:turn], sizes, forced)
            assert example.ids[: start + 1] == prompt.ids
            assert all(example.supervised[start:stop])
            parsed = renderer.parse(example.ids[start + 1 : stop], forced, "stop")
            assert parsed.answer == record.messages[turn].text
            assert (parsed.thinking or "") == (record.messages[turn].reasoning or "")
        learnt += sorted(group)
    wanted = [i for i in assistants(record.messages) if record.messages[i].weight != 0]
    assert sorted(learnt) == wanted


@QUICK
@given(data=st.data())
def test_spans_cover_every_id_and_images_match_placeholders(renderer, records, data):
    record = data.draw(records(TRICKY))
    for example in renderer.examples(record):
        assert [span.start for span in example.spans[1:]] == [s.stop for s in example.spans[:-1]]
        assert (example.spans[0].start, example.spans[-1].stop) == (0, len(example.ids))
        assert len(example.supervised) == len(example.ids)
        sizes = [(record.images[i].width, record.images[i].height) for i in example.images]
        assert example.plans == tuple(plan(renderer.images, 16, *size) for size in sizes)
        runs = [span.stop - span.start for span in example.spans if span.kind == "image"]
        assert runs == [made.tokens for made in example.plans]
        assert example.ids.count(IMAGE) == sum(runs)


def test_supervised_share_detects_nothing_and_everything(renderer, record):
    first, second = renderer.examples(record)
    assert supervised_share([first]) == 7 / 32
    assert supervised_share([first, second]) == (7 + 3) / (len(first.ids) + len(second.ids))
    assert supervised_share([renderer.prompt(record.messages[:1], [(64, 48), (32, 32)])]) == 0
    assert supervised_share([replace(first, supervised=(True,) * 32)]) == 1
    assert supervised_share([]) == 0
