"""Sources of scenes: told scenes, chosen tasks, own modes and domains of the records."""

from pathlib import Path

from pellucid import store
from pellucid.data import build_source
from pellucid.data.synth import FAMILIES
from pellucid.recipe.data import ChartsScene, ScenesSource
from pellucid.store import Store


def build(folder: Path, **options: object) -> Store:
    source = ScenesSource(scene=ChartsScene(), scenes=6, seed=40, **options)  # type: ignore[arg-type]
    build_source("charts", source, 0, folder)
    return store.open(folder)


def test_a_told_scene_asks_under_its_caption_what_the_caption_answers(tmp_path: Path) -> None:
    seen, told = build(tmp_path / "seen"), build(tmp_path / "told", told=True)
    captions = {
        (record.source.row, record.task): record.messages[1].text
        for record in seen.records(tasks=("caption", "grounded"))
    }
    family = FAMILIES["charts"]
    tasks = {record.task for record in told.records()}
    assert tasks == family.from_caption | family.from_boxes | {"quiz"}
    for record in told.records():
        kind = "grounded" if record.task in family.from_boxes else "caption"
        first = record.messages[0]
        assert not record.images and len(first.content) == 1
        assert first.text.startswith(captions[record.source.row, kind] + "\n")
    golds = {record.answer.gold for record in seen.records(tasks=("sum",)) if record.answer}
    assert golds == {record.answer.gold for record in told.records(tasks=("sum",)) if record.answer}


def test_a_told_quiz_asks_only_what_the_plain_caption_answers(tmp_path: Path) -> None:
    seen, told = build(tmp_path / "seen"), build(tmp_path / "told", told=True)
    asked = {
        record.source.row: [
            (ask.text, reply.text)
            for ask, reply in zip(record.messages[::2], record.messages[1::2], strict=True)
        ]
        for record in seen.records(tasks=("quiz",))
    }
    for record in told.records(tasks=("quiz",)):
        replies = [turn.text for turn in record.messages[1::2]]
        want = [reply for _, reply in asked[record.source.row] if not reply.startswith("[")]
        assert replies == want and len(want) < len(asked[record.source.row])


def test_a_told_question_that_needs_no_steps_has_nothing_to_list(tmp_path: Path) -> None:
    told = build(tmp_path, told=True)
    assert all(not record.messages[-1].reasoning for record in told.records(tasks=("read",)))
    assert all(record.messages[-1].reasoning for record in told.records(tasks=("sum",)))


def test_only_the_tasks_that_are_asked_for(tmp_path: Path) -> None:
    found = build(tmp_path, tasks=("caption", "sum"))
    assert {record.task for record in found.records()} == {"caption", "sum"}
    assert found.verify() == []


def test_the_own_mode_says_whether_steps_are_needed(tmp_path: Path) -> None:
    for record in build(tmp_path).records():
        last = record.messages[-1]
        assert (record.domain == "arithmetic") == (last.mode == "think")
        if record.task in ("read", "count", "name", "locate"):
            assert last.mode == "nothink" and last.reasoning  # a listing that is not chosen
