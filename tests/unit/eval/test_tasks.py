"""Which items a task has, and what is asked."""

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.eval.tasks import items_of
from pellucid.eval.tasks.store import majorities
from pellucid.recipe.eval import StoreTask
from pellucid.schema.record import Answer, Source, assistant, make_record, user


def ids(stores, options, **task) -> list[str]:
    chosen = options(tasks={"t": StoreTask(source="set", **task)})
    return [item.id for item in items_of(chosen, stores, "t")]


def test_only_gold_of_the_split_and_of_the_tasks(stores, options) -> None:
    assert len(ids(stores, options)) == 12
    assert len(ids(stores, options, split="train")) == 1
    assert len(ids(stores, options, split="validation")) == 2, "one of three has no gold"
    assert len(ids(stores, options, tasks=("count",))) == 6
    assert ids(stores, options)[0].startswith("t/")


def test_a_larger_limit_only_adds_items(stores, options) -> None:
    found = [set(ids(stores, options, limit=limit)) for limit in (1, 4, 9, 99)]
    assert [len(chosen) for chosen in found] == [1, 4, 9, 12]
    assert found[0] < found[1] < found[2] < found[3]
    everything = ids(stores, options)
    four = ids(stores, options, limit=4)
    assert four == [id for id in everything if id in found[1]], "in the order of the store"


def test_another_seed_chooses_others(stores, options) -> None:
    def chosen(seed: int) -> list[str]:
        told = options(tasks={"t": StoreTask(source="set", limit=6)}, seed=seed)
        return [item.id for item in items_of(told, stores, "t")]

    assert chosen(0) == chosen(0) and chosen(0) != chosen(1)


def test_two_tasks_over_one_source_draw_the_same_records(stores, options) -> None:
    told = options(
        tasks={"a": StoreTask(source="set", limit=5),
               "b": StoreTask(source="set", limit=5, picture="blank")}
    )  # fmt: skip
    one, other = ([item.record.id for item in items_of(told, stores, task)] for task in "ab")
    assert one == other and len(one) == 5


def test_blank_pictures_keep_their_size_and_nothing_else(stores, options) -> None:
    told = options(tasks={"t": StoreTask(source="set", picture="blank")})
    for item in items_of(told, stores, "t"):
        (data,) = item.request(stores["set"], "auto", 9, 0).images
        with Image.open(BytesIO(data)) as picture:
            assert picture.size == (16, 16) and picture.getcolors() == [(256, (128, 128, 128))]
        assert item.record.images[0].sha256 not in data.hex()


def test_the_guess_is_the_most_frequent_gold_of_the_task_in_training(tmp_path) -> None:
    golds = {"count": ["3", "1", "3", "1", "2"], "name": ["b"]}
    writer = store.Writer(tmp_path)
    records = [
        make_record(
            messages=(user(f"{task} {n}?"), assistant(gold)), images=(), task=task, domain="d",
            answer=Answer("text", gold), source=Source("other", split, n, "CC0-1.0"),
        )
        for task, found in golds.items()
        for split, told in (("train", found), ("test", ["9"] * 9))
        for n, gold in enumerate(told)
    ]  # fmt: skip
    silent = Source("other", "train", 50, "CC0-1.0")
    records.append(
        make_record(messages=(user("?"), assistant("9")), images=(), task="mute", domain="d",
                    answer=None, source=silent)
    )  # fmt: skip
    writer.shard("a", records)
    writer.finish()
    assert majorities(store.open(tmp_path)) == {"count": "1", "name": "b"}, "ties: the lesser text"


def test_the_asked_for_answer_and_its_pictures_are_hidden(stores, options) -> None:
    told = options(tasks={"t": StoreTask(source="set", split="validation")})
    several, swapped = items_of(told, stores, "t")
    assert [turn.role for turn in several.messages] == ["user", "assistant", "user"]
    assert len(several.images) == 2 and several.images == several.record.images
    assert [turn.text for turn in swapped.messages] == ["What is 23?"]
    assert swapped.images == swapped.record.images[1:]
    assert swapped.messages[0].content[0].image == 0, "counted anew"
    request = swapped.request(stores["set"], "think", 9, 3)
    assert request.images == (stores["set"].image(swapped.record.images[1].sha256),)
    assert (request.mode, request.max_new_tokens, request.temperature) == ("think", 9, 0.0)


def test_the_gold_of_every_item_passes_its_scorer(stores, options, table) -> None:
    told = options(tasks={"t": StoreTask(source="set")})
    for item in items_of(told, stores, "t"):
        request = item.request(stores["set"], "nothink", 9, 0)
        said = replace(table().answer(request), outcome="answered", answer=item.record.answer.gold)
        assert item.scorer(said, item.evidence(9)).value == 1.0
        assert item.record.source.split == "test"


def test_clusters_are_pictures_and_single_items_without_one(stores, options) -> None:
    told = options(tasks={"t": StoreTask(source="set")})
    assert {item.cluster for item in items_of(told, stores, "t")} == {
        f"picture {n}" for n in range(6)
    }
    lone = items_of(options(tasks={"t": StoreTask(source="set", split="validation")}), stores, "t")
    assert [item.cluster for item in lone] == [item.id for item in lone]


def test_refusals(stores, options, tmp_path) -> None:
    with pytest.raises(UserError, match="finds no test records of set with task nope"):
        ids(stores, options, tasks=("nope",))
    with pytest.raises(UserError, match="did you mean 'set'"):
        items_of(options(tasks={"t": StoreTask(source="sett")}), stores, "t")
    writer = store.Writer(tmp_path)
    record = make_record(
        messages=(user("Click."),), images=(), answer=Answer("action", "{}"), task="click",
        domain="screens", source=Source("other", "test", 0, "CC0-1.0"),
    )  # fmt: skip
    writer.shard("a", [record])
    writer.finish()
    with pytest.raises(UserError, match="action.*no scorer checks"):
        items_of(options(tasks={"t": StoreTask(source="set")}), {"set": store.open(tmp_path)}, "t")
