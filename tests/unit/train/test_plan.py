"""Plans: everything once per epoch, batches as promised, the same from any starting point."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.recipe.train import Modules, Pack, Stage
from pellucid.train.lengths import Lengths
from pellucid.train.plan import Cursor, Plan

MAX_TOKENS, MAX_PATCHES = 50, 20


@st.composite
def lengths(draw) -> dict:
    """Fields of an index of up to 40 rows of one to three examples, repeated up to three times."""
    parts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=40))
    repeats = draw(st.lists(st.integers(1, 3), min_size=len(parts), max_size=len(parts)))
    count = sum(parts)
    tokens = draw(st.lists(st.integers(2, MAX_TOKENS), min_size=count, max_size=count))
    patches = draw(st.lists(st.integers(0, MAX_PATCHES), min_size=count, max_size=count))
    return dict(
        records=tuple(f"r{row}" for row in range(len(parts))),
        overrides=("as_is",) * len(parts),
        entries=np.repeat(np.arange(len(parts)), repeats),
        row=np.repeat(np.arange(len(parts)), parts),
        part=np.concatenate([np.arange(one) for one in parts]),
        modes=("nothink",) * count,
        tasks=("t",) * count,
        tokens=np.array(tokens),
        patches=np.array(patches),
        supervised=np.ones(count, dtype=int),
        image_tokens=(None,) * count,
        windows=draw(windows(sum(repeats))),
    )


@st.composite
def windows(draw, entries: int) -> tuple[int, ...]:
    """Windows of a curriculum; none half of the time."""
    cuts = draw(
        st.just([]) | st.lists(st.integers(1, max(1, entries - 1)), max_size=4, unique=True)
    )
    cuts = [0, *sorted(cut for cut in cuts if cut < entries), entries]
    sizes = tuple(np.diff(cuts).tolist())
    return sizes if len(sizes) > 1 else ()


@st.composite
def stages(draw) -> Stage:
    records = draw(st.none() | st.integers(1, 12))
    tokens = None if records else draw(st.integers(MAX_TOKENS, 4 * MAX_TOKENS))
    window = draw(st.integers(1, 16))
    return Stage(
        name="s",
        mix="m",
        modules=Modules(decoder=1e-3),
        pack=Pack(max_tokens=MAX_TOKENS, max_patches=MAX_PATCHES, window_records=window),
        batch_records=records,
        batch_tokens=tokens,
        epochs=draw(st.integers(1, 3)),
    )


@given(lengths(), stages(), st.integers(0, 2**40), st.integers(1, 40))
@settings(deadline=None, max_examples=50)
def test_a_stage_of_so_many_steps_goes_on_where_its_epochs_end(fields, stage, seed, most) -> None:
    """The steps of epoch after epoch, until there are so many; from any step on the same."""
    index = Lengths(**fields)
    once = stage.model_copy(update={"epochs": 1})
    long = Plan(index, stage.model_copy(update={"epochs": most}), seed)  # a step each, or more
    plan = Plan(index, once.model_copy(update={"max_steps": most}), seed)
    steps = list(plan.steps(plan.start))
    assert len(steps) == plan.total == most
    assert steps == list(long.steps(long.start))[:most]
    for done in {0, most // 2, most - 1}:
        start = steps[done - 1].after if done else plan.start
        assert list(plan.steps(start, done)) == steps[done:]


def members(step) -> list[int]:
    return list(chain.from_iterable(step.packs))


@given(lengths(), stages(), st.integers(0, 2**40))
@settings(deadline=None, max_examples=50)
def test_every_example_is_seen_as_often_as_the_mix_says(fields, stage, seed) -> None:
    index = Lengths(**fields)
    expected: Counter[int] = Counter()
    for row in index.entries:
        expected.update(index.examples_of(int(row)))
    seen = [Counter() for _ in range(stage.epochs)]
    for step in Plan(index, stage, seed).steps(Cursor()):
        seen[step.epoch].update(members(step))
    assert seen == [expected] * stage.epochs


@given(lengths(), stages(), st.integers(0, 2**40))
@settings(deadline=None, max_examples=50)
def test_batches_and_packs_keep_to_their_sizes(fields, stage, seed) -> None:
    index = Lengths(**fields)
    plan = Plan(index, stage, seed)
    opens = np.diff(index.row, prepend=-1) > 0
    steps = list(plan.steps(Cursor()))
    assert len(steps) == plan.total
    for number, step in enumerate(steps):
        for pack in step.packs:
            assert index.tokens[list(pack)].sum() <= MAX_TOKENS
            assert index.patches[list(pack)].sum() <= MAX_PATCHES
        last = number + 1 == len(steps) or steps[number + 1].epoch > step.epoch
        if stage.batch_tokens:
            assert index.tokens[members(step)].sum() <= stage.batch_tokens
        elif last:
            rest = len(index.entries) % stage.batch_records or stage.batch_records
            assert opens[members(step)].sum() == rest
        else:
            assert opens[members(step)].sum() == stage.batch_records


@given(lengths(), stages(), st.integers(0, 2**40), st.data())
@settings(deadline=None, max_examples=50)
def test_a_plan_goes_on_from_any_step(fields, stage, seed, data) -> None:
    index = Lengths(**fields)
    plan = Plan(index, stage, seed)
    steps = list(plan.steps(Cursor()))
    at = data.draw(st.integers(0, len(steps) - 1))
    assert list(plan.steps(steps[at].after)) == steps[at + 1 :]


@given(lengths(), st.integers(0, 2**40))
@settings(deadline=None, max_examples=25)
def test_a_full_step_takes_no_more_because_a_pack_fits(fields, seed) -> None:
    """With token batches a step ends only where the next pack would not fit, or with the epoch."""
    index = Lengths(**fields)
    pack = Pack(max_tokens=MAX_TOKENS, max_patches=MAX_PATCHES, window_records=4)
    stage = Stage(
        name="s", mix="m", modules=Modules(decoder=1e-3), pack=pack, batch_tokens=2 * MAX_TOKENS
    )
    steps = list(Plan(index, stage, seed).steps(Cursor()))
    for step, after in zip(steps, steps[1:], strict=False):
        together = index.tokens[members(step)].sum() + index.tokens[list(after.packs[0])].sum()
        assert together > 2 * MAX_TOKENS


def test_seeds_and_epochs_give_other_batches() -> None:
    count = 64
    index = Lengths(
        records=tuple(map(str, range(count))),
        overrides=("as_is",) * count,
        entries=np.arange(count),
        row=np.arange(count),
        part=np.zeros(count, dtype=int),
        modes=("nothink",) * count,
        tasks=("t",) * count,
        tokens=np.full(count, 10),
        patches=np.zeros(count, dtype=int),
        supervised=np.ones(count, dtype=int),
        image_tokens=(None,) * count,
    )
    stage = Stage(
        name="s",
        mix="m",
        modules=Modules(decoder=1e-3),
        pack=Pack(max_tokens=50, max_patches=1),
        batch_records=8,
        epochs=2,
    )
    first = {
        (seed, epoch): frozenset(members(next(Plan(index, stage, seed).steps(Cursor(epoch)))))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(set(first.values())) == 4
    assert all(len(found) == 8 for found in first.values())


@pytest.mark.parametrize("records", [3, 8])
def test_a_window_never_reaches_into_the_next_step(records: int) -> None:
    """Steps of 8 with windows of 3: 3 + 3 + 2 entries are packed apart, and 8 are trained on."""
    index = Lengths(
        records=tuple(map(str, range(20))),
        overrides=("as_is",) * 20,
        entries=np.arange(20),
        row=np.arange(20),
        part=np.zeros(20, dtype=int),
        modes=("nothink",) * 20,
        tasks=("t",) * 20,
        tokens=np.full(20, 10),
        patches=np.zeros(20, dtype=int),
        supervised=np.ones(20, dtype=int),
        image_tokens=(None,) * 20,
    )
    stage = Stage(
        name="s",
        mix="m",
        modules=Modules(decoder=1e-3),
        pack=Pack(max_tokens=50, max_patches=1, window_records=3),
        batch_records=records,
    )
    sizes = [[len(pack) for pack in step.packs] for step in Plan(index, stage, 0).steps(Cursor())]
    assert sizes == {8: [[3, 3, 2], [3, 3, 2], [3, 1]], 3: [[3]] * 6 + [[2]]}[records]


def ladder(sizes: list[int]) -> Lengths:
    """Records of ten tokens each in windows of a curriculum."""
    count = sum(sizes)
    return Lengths(
        records=tuple(f"r{row}" for row in range(count)),
        overrides=("as_is",) * count,
        entries=np.arange(count),
        row=np.arange(count),
        part=np.zeros(count, int),
        modes=("nothink",) * count,
        tasks=("t",) * count,
        tokens=np.full(count, 10),
        patches=np.zeros(count, int),
        supervised=np.ones(count, int),
        image_tokens=(None,) * count,
        windows=tuple(sizes) if len(sizes) > 1 else (),
    )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 4), st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_a_curriculum_is_learnt_window_by_window(batches, records, seed) -> None:
    """Windows of whole steps: a step holds nothing of another window, in every epoch."""
    sizes = [records * one for one in batches]
    index = ladder(sizes)
    stage = Stage(
        name="s", mix="m", modules=Modules(decoder=1e-3), batch_records=records, epochs=2,
        pack=Pack(max_tokens=MAX_TOKENS, max_patches=MAX_PATCHES),
    )  # fmt: skip
    met = [
        np.searchsorted(np.cumsum(sizes), members(step), side="right")
        for step in Plan(index, stage, seed).steps(Cursor())
    ]
    told = [number for number, one in enumerate(batches) for _ in range(one)]
    assert [set(one.tolist()) for one in met] == [{number} for number in told * 2]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 30),
    st.integers(1, 3),
    st.integers(0, 9),
)
@settings(deadline=None, max_examples=50)
def test_a_pack_holds_nothing_of_two_windows_of_a_curriculum(sizes, widest, packs, seed) -> None:
    """However wide windows of packing are; and packs go through the curriculum in its order."""
    stage = Stage(
        name="s", mix="m", modules=Modules(decoder=1e-3), batch_tokens=packs * MAX_TOKENS, epochs=2,
        pack=Pack(max_tokens=MAX_TOKENS, max_patches=MAX_PATCHES, window_records=widest),
    )  # fmt: skip
    for epoch in range(2):
        met = [
            set(np.searchsorted(np.cumsum(sizes), pack, side="right").tolist())
            for step in Plan(ladder(sizes), stage, seed).steps(Cursor())
            if step.epoch == epoch
            for pack in step.packs
        ]
        assert all(len(one) == 1 for one in met)
        order = [number for one in met for number in one]
        assert order == sorted(order) and set(order) == set(range(len(sizes)))
