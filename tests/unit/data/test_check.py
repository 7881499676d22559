"""What a file is and what is wrong with it, counted by hand."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.e2e.command import pellucid

from pellucid.base.errors import UserError
from pellucid.data.check import check
from pellucid.flow.check import check_code
from pellucid.recipe import load
from pellucid.recipe.rows import LlavaJsonSource

PIXELS = 10_000
TALK = [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "4"}]


def row(**fields: Any) -> dict[str, Any]:
    return {"image": "a.png", "conversations": TALK, **fields}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in (("a.png", 8), ("b.png", 9), ("huge.png", 101)):
        Image.new("RGB", (size, size), "red").save(tmp_path / name)
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    return tmp_path


def written(folder: Path, rows: list[Any], name: str = "rows.json") -> Path:
    path = folder / name
    lines = "\n".join(json.dumps(one) if not isinstance(one, str) else one for one in rows)
    path.write_text(lines if name.endswith("l") else json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        (("test", "test"), "split is test,"),
        (("validation", "test"), "split is test or validation,"),
        (("test", "train"), ""),
        (("test", None), ""),
        ((None, None), ""),
    ],
)
def test_rows_that_leave_none_to_train_on(
    splits: tuple[str | None, ...], told: str, folder: Path
) -> None:
    """With what to write instead; rows that name no split are dealt, so some are trained on."""
    rows = [row(split=split) if split else row() for split in splits]
    notes = [one for one in check(written(folder, rows), None, PIXELS).notes if "split" in one]
    assert len(notes) == bool(told)
    for note in notes:
        assert told in note and "none is left to train on" in note
        assert "leave `split` out" in note and "say train" in note


def test_a_sound_file_is_counted(folder: Path) -> None:
    thinking = [TALK[0], {"from": "gpt", "value": "<think>2 + 2</think>4"}]
    rows = [
        row(task="count", licence="MIT", split="test"),
        row(image="b.png", answer={"kind": "number", "gold": 4}),
        row(image=None, conversations=thinking),
    ]
    found = check(written(folder, rows), None, PIXELS)
    assert (found.importer, found.rows, found.sound, found.images) == ("llava_json", 3, 3, 2)
    assert found.findings == ()
    assert found.counts == {
        "mode": {"nothink": 2, "think": 1},
        "task": {"count": 1, "-": 2},
        "split": {"test": 1, "-": 2},
        "answer": {"-": 2, "number": 1},
        "licence": {"MIT": 1, "-": 2},
    }


def test_each_fault_is_found_once_and_rows_are_named(folder: Path) -> None:
    rows = [
        row(image="none.png"), row(), row(image="none.png"), row(image="cut.png"),
        row(image="huge.png"), row(image="../a.png"), "{broken", row(conversations=[]),
        row(image=["a.png", "b.png"], conversations=[{**TALK[0], "value": "<image>?"}, TALK[1]]),
        row(image="none.png"), row(image="none.png"),
    ]  # fmt: skip
    found = check(written(folder, rows, "rows.jsonl"), None, PIXELS)
    assert (found.rows, found.sound) == (11, 1)
    assert sum(finding.count for finding in found.findings) == 10
    first = found.findings[0]
    assert (first.count, first.rows, first.value) == (4, (0, 2, 9), "'none.png'")
    assert {number for finding in found.findings for number in finding.rows} == {
        0, 2, 3, 4, 5, 6, 7, 8, 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "format_"),
    [
        ([{"chosen": "x", "rejected": "y"}] * 2, "rows with the fields chosen, rejected"),
        ([{"a": 1, "b": 2}], "rows with the fields a, b"),
        ([7, 8], "no objects"),
    ],
)
def test_a_format_that_no_importer_reads_is_named(
    folder: Path, rows: list[Any], format_: str
) -> None:
    found = check(written(folder, rows), None, PIXELS)
    assert (found.format, found.importer, found.sound) == (format_, "", 0) and found.hint


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
        (b"PAR1....", "holds Parquet.* give it the ending .parquet"),
        (b"", "is an empty file"),
        (b"[]", "holds no rows"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_without_rows(folder: Path, data: bytes, said: str) -> None:
    (folder / "x.json").write_bytes(data)
    with pytest.raises(UserError, match=said):
        check(folder / "x.json", None, PIXELS)
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="is a folder without rows"):
        check(folder / "empty", None, PIXELS)
    with pytest.raises(UserError, match="does not exist"):
        check(folder / "none.json", None, PIXELS)
    with pytest.raises(UserError, match="--images"):
        check(written(folder, [row()]), folder / "none", PIXELS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "conversations", "from", "value", "messages", "answer", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(rows=st.lists(VALUES, min_size=1, max_size=5))
def test_whatever_json_holds_every_row_is_sound_or_said(
    rows: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    try:
        found = check(path, None, PIXELS)
    except UserError as error:
        assert "is not JSON" in str(error)  # NaN and Infinity are none
        return
    faulty = sum(finding.count for finding in found.findings)
    assert found.rows == len(rows)
    assert found.sound + faulty == len(rows) if found.importer else found.hint


def test_the_command_prints_a_source_that_a_recipe_accepts(folder: Path) -> None:
    done = pellucid("data", "check", written(folder, [row(), row(image="none.png")]))
    assert done.returncode == 1 and "1 of them sound" in done.stdout
    told = yaml.safe_load(io.StringIO(done.stdout.split("In a recipe:")[1]))
    source = LlavaJsonSource.model_validate(told["data"]["sources"]["own"])
    assert Path(source.path).is_file() and source.on_fault == "drop"
    wide = [line for line in done.stdout.splitlines()[1:] if len(line) > 80 and "path:" not in line]
    assert not wide
    sound = pellucid("data", "check", written(folder, [row()]), "--json")
    assert sound.returncode == 0 and json.loads(sound.stdout)["sound"] == 1


def test_what_sound_rows_cannot_be_used_for_is_noted(folder: Path) -> None:
    (note,) = check(written(folder, [row(), row(image="b.png")]), None, PIXELS).notes
    assert "no row has a gold `answer`" in note
    right = {"kind": "number", "gold": 4}
    assert check(written(folder, [row(answer=right), row()]), None, PIXELS).notes == ()
    other = {"kind": "text", "gold": "five", "aliases": ["5"]}
    (note,) = check(written(folder, [row(answer=right), row(answer=other)]), None, PIXELS).notes
    assert note.startswith(
        "1 of 2 rows train an answer that the scorer of its kind calls wrong: row 1"
    )
    alias = {"kind": "text", "gold": "four", "aliases": ["4"]}
    spelt = {"kind": "number", "gold": "4.0"}
    assert check(written(folder, [row(answer=alias), row(answer=spelt)]), None, PIXELS).notes == ()
    rows = [row(answer=right, source="web"), row(answre=right), row(answre=right)]
    (note,) = check(written(folder, rows), None, PIXELS).notes
    assert note == "nothing reads the field 'answre' of 2 rows; did you mean 'answer'?"


def test_a_finding_shows_each_value_once(folder: Path) -> None:
    rows = [row(image=name) for name in ("x.png", "y.png", "x.png", "z.png")]
    (finding,) = check(written(folder, rows), None, PIXELS).findings
    assert (finding.count, finding.value) == (4, "'x.png', 'y.png'")


CODE = """
def rows(image):
    for reply in ("4", "5"):
        yield {"image": image, "conversations": [
            {"from": "human", "value": "How many?"}, {"from": "gpt", "value": reply}]}
"""


def test_a_recipe_is_checked_with_its_functions(folder: Path) -> None:
    (folder / "mine.py").write_text(CODE, encoding="utf-8")
    own = {"kind": "python", "path": "mine.py:rows", "dataset": "d", "licence": "CC0-1.0"}
    for image, code in (("a.png", 0), ("none.png", 1)):
        sources = {"mine": {**own, "options": {"image": image}}}
        recipe = {"extends": "smoke", "name": "own", "data": {"sources": sources}}
        (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        done = pellucid("data", "check", "r.yaml", cwd=folder)
        assert done.returncode == code, done.stderr
        assert "data.sources.mine" in done.stdout and "rows of mine.py:rows" in done.stdout
        assert ("2 x 'none.png' does not exist" in done.stdout) == (code == 1)
        assert re.search("licence: +CC0-1.0 2", done.stdout) or code == 1
    told = json.loads(pellucid("data", "check", "r.yaml", "--json", cwd=folder).stdout)
    assert told["mine"]["findings"][0]["count"] == 2 and told["real"]["sound"] == 100
    for option in (("--images", "."), ("--max-image-pixels", "9")):
        done = pellucid("data", "check", "r.yaml", *option, cwd=folder)
        assert done.returncode == 2 and "is not for a recipe" in done.stderr
    sources["gone"] = {"kind": "llava_json", "path": "gone.json", "dataset": "d", "licence": "MIT"}
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = pellucid("data", "check", "r.yaml", cwd=folder)
    assert done.returncode == 2 and "data.sources.gone: " in done.stderr
    assert "2 x 'none.png' does not exist" in done.stdout, "the others are told all the same"
    sources["gone"] = None
    sources["mine"]["on_fault"] = "drop"
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert pellucid("data", "check", "r.yaml", cwd=folder).returncode == 0


OWN = {
    "ops": """
def ink(record, images, dark=100):
    if not images:
        return None
    return {"share": images[0].width / 100, "wide": len(record.images) > dark}
""",
    "tasks": """
def sides(record):
    for at, image in enumerate(record.images):
        yield {"question": "How wide?", "answer": {"kind": "number", "gold": image.width},
               "images": [at]}
""",
    "views": """
def whole(width, height, patch_px, side=2):
    return [((0, 0, width, height), (side * patch_px, side * patch_px))]
""",
    "scorer": """
def close(answer, gold, within=1):
    return answer.strip()[:within] == gold.gold[:within]
""",
    "rewards": """
def brief(rollout, evidence, most=5):
    return 1.0 if len(rollout.answer or "") <= most else 0.0
""",
}
FAULTY = {
    "ops": {
        "gone": (None, r"data.ops.ink.path='[^']*' names a file that is not there"),
        "no function": ("def other(record, images): ...", r"data.ops.ink.path='.*no function"),
        "raises": ("def ink(record, images, dark): return 1 / 0", r"raised ZeroDivisionError"),
        "another kind": ("def ink(record, images, dark): return {'share': 'x'}", "a finite number"),
        "other options": ("def ink(record, images): ...", r"data.ops.ink.options=.*arguments"),
        "not twice alike": (
            "import itertools\nn = itertools.count()\n"
            "def ink(record, images, dark): return {'share': next(n), 'wide': True}",
            "when asked again",
        ),
        "ends the program": ("import sys\ndef ink(*_, dark): sys.exit(0)", "raised SystemExit"),
    },
    "tasks": {
        "raises": ("def sides(record): return record.nothing", "raised AttributeError"),
        "no question": ("def sides(record): return {'question': 7}", "question=7, wanted a text"),
        "cannot be run": ("def sides(record:", "eval.tasks.sides.path=.*SyntaxError"),
    },
    "views": {
        "raises": (
            "def whole(width, height, patch_px, side=1): return [0][1]",
            "raised IndexError",
        ),
        "over budget": (
            OWN["views"].replace("(side *", "(9 * side *"),
            "36 patches, more than max_tokens=5",
        ),
        "other arguments": ("def whole(width): ...", r"model.images.options=.*3 arguments"),
    },
    "scorer": {
        "gone": (None, r"eval.tasks.asked.scorer.path='[^']*' names a file that is not there"),
        "raises": ("def close(answer, gold, within): return gold.nothing", "raised AttributeError"),
        "over one": ("def close(answer, gold, within): return 7", "7, wanted a number from 0 to 1"),
        "other options": ("def close(answer, gold): ...", r"eval.tasks.asked.scorer.options=.*arg"),
        "ends the program": ("import sys\ndef close(*_, within): sys.exit(0)", "raised SystemExit"),
    },
    "rewards": {
        "no function": ("def other(rollout, evidence): ...", "has no function 'brief'"),
        "raises": (
            "def brief(rollout, evidence, most): return float(len(rollout.answer) <= most)",
            r"record \w+, truncated: raised TypeError: .*; so for 60 of what it was called with",
        ),
        "below zero": (
            "def brief(rollout, evidence, most): return -1",
            "-1, wanted a number from 0",
        ),
        "not twice alike": (
            "import itertools\nn = itertools.count()\n"
            "def brief(rollout, evidence, most): return next(n) % 2",
            "when asked again",
        ),
        "other arguments": ("def brief(rollout): ...", r"rl.rewards.own.brief.options=.*2 arg"),
    },
}
FIELDS = {
    "ops": "data.ops.ink", "tasks": "eval.tasks.sides", "views": "model.images",
    "scorer": "eval.tasks.asked.scorer", "rewards": "rl.rewards.own.brief",
}  # fmt: skip


@pytest.fixture
def coded(folder: Path) -> Path:
    """A recipe with code of every kind, beside rows of two pictures."""
    answer = {"kind": "number", "gold": 4}
    written(folder, [row(image=name, answer=answer) for name in ("a.png", "b.png") * 20])
    recipe = {
        "extends": "smoke-one-stage", "name": "own",
        "data": {
            "sources": {"mine": {
                "kind": "llava_json", "path": "rows.json", "dataset": "d", "licence": "CC0-1.0",
                "split": {"test": 0.5},
            }},
            "ops": {"ink": {
                "path": "ops.py:ink", "gives": {"share": "number", "wide": "flag"},
                "options": {"dark": 9},
            }},
            "mixes": {"instruct": {
                "take": [{"source": "mine"}], "think_share": None,
                "where": [{"label": "ink@1", "column": "share", "at_least": 0.01}],
            }, "prompts": {"take": [{"source": "mine"}]}},
        },
        "eval": {"tasks": {
            "sides": {"kind": "python", "path": "tasks.py:sides", "source": "mine"},
            "asked": {"kind": "store", "source": "mine", "scorer": {
                "path": "scorer.py:close", "options": {"within": 1},
            }},
        }},
        "rl": {"rewards": {"own": {"brief": {
            "path": "rewards.py:brief", "weight": 0.2, "options": {"most": 9},
        }}}},
        "model": {"images": {"kind": "python", "path": "views.py:whole", "max_tokens": 5}},
    }  # fmt: skip
    for name, code in OWN.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder


def test_own_code_is_called_with_the_first_records(coded: Path) -> None:
    done = pellucid("data", "check", "r.yaml", cwd=coded)
    assert done.returncode == 0, done.stderr
    told = json.loads(pellucid("data", "check", "r.yaml", "--json", cwd=coded).stdout)
    assert told["data.ops.ink"]["called"] == "with records: 20 of mine"
    assert told["eval.tasks.sides"]["called"] == "with records: 20 of mine"
    assert told["model.images"]["called"].startswith("with ")
    assert told["eval.tasks.asked.scorer"]["called"] == "with golds: 20 of mine"
    assert told["rl.rewards.own.brief"]["called"] == "with rollouts about records: 20 of mine"
    assert not any(told[field]["note"] for field in FIELDS.values())
    assert told["mine"]["sound"] == 40 and "nothing wrong" in done.stdout
    assert sorted(path.name for path in coded.iterdir() if path.is_dir()) in ([], ["__pycache__"])


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, cases in FAULTY.items() for case in cases]
)
def test_own_code_that_a_run_would_refuse_is_one_error(coded: Path, kind: str, case: str) -> None:
    code, said = FAULTY[kind][case]
    if code is None:
        (coded / f"{kind}.py").unlink()
    else:
        (coded / f"{kind}.py").write_text(code, encoding="utf-8")
    found, problems = check_code(load(str(coded / "r.yaml")))
    (problem,) = problems
    assert problem.field.startswith(FIELDS[kind])
    assert re.search(said, str(UserError(problem))), str(UserError(problem))
    assert {one.field for one in found} == set(FIELDS.values()) - {FIELDS[kind]}


def test_all_faults_of_own_code_are_told_at_once(coded: Path) -> None:
    for kind in OWN:
        (coded / f"{kind}.py").write_text(FAULTY[kind]["raises"][0], encoding="utf-8")
    done = pellucid("data", "check", "r.yaml", cwd=coded)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(f"{field}.path" in done.stderr for field in FIELDS.values())
    assert "40, 40 of them sound" in done.stdout, "the sources are told all the same"


def test_what_says_nothing_of_the_first_records_is_noted(coded: Path) -> None:
    (coded / "ops.py").write_text("def ink(record, images, dark): ...", encoding="utf-8")
    (coded / "tasks.py").write_text("def sides(record): ...", encoding="utf-8")
    (coded / "rewards.py").write_text("def brief(rollout, evidence, most): ...", encoding="utf-8")
    found, problems = check_code(load(str(coded / "r.yaml")))
    assert problems == []
    notes = {one.field: one.note for one in found}
    assert notes["data.ops.ink"] == "it says nothing of 20 of them"
    assert "it says nothing of any rollout" in notes["rl.rewards.own.brief"]
    assert notes["eval.tasks.asked.scorer"] == ""
    assert "asks nothing about them" in notes["eval.tasks.sides"]


def test_what_a_scorer_says_of_golds_and_of_other_answers_is_noted(coded: Path) -> None:
    """A run leaves an answer undecided on which a scorer raises, so that is no fault."""
    (coded / "scorer.py").write_text(
        "def close(answer, gold, within): return float(answer) < float(gold.gold)", encoding="utf-8"
    )
    found, problems = check_code(load(str(coded / "r.yaml")))
    (note,) = [one.note for one in found if one.field == "eval.tasks.asked.scorer"]
    assert problems == [] and "20 of them wrong as answers to themselves" in note
    assert "another answer would be undecided: record " in note and "a sentence" in note


def test_a_scorer_of_a_task_of_one_s_own_gets_the_golds_of_its_questions(coded: Path) -> None:
    recipe = yaml.safe_load((coded / "r.yaml").read_text(encoding="utf-8"))
    tasks = recipe["eval"]["tasks"]
    tasks["sides"]["scorer"] = tasks["asked"]["scorer"]
    (coded / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    found, problems = check_code(load(str(coded / "r.yaml")))
    called = {one.field: one.called for one in found}
    assert problems == [] and called["eval.tasks.sides.scorer"] == "with golds: 20 of mine"
    (coded / "tasks.py").write_text("def sides(record): return 1 / 0", encoding="utf-8")
    found, (problem,) = check_code(load(str(coded / "r.yaml")))
    assert problem.field == "eval.tasks.sides.path", "told once, of the task"


def test_own_code_of_a_source_that_cannot_be_read_is_only_loaded(coded: Path) -> None:
    """Its source is the fault, and is told of as one."""
    (coded / "rows.json").unlink()
    found, problems = check_code(load(str(coded / "r.yaml")))
    assert problems == []
    assert {one.called for one in found if one.field != "model.images"} == {
        "not at all, as its source cannot be read"
    }
    done = pellucid("data", "check", "r.yaml", cwd=coded)
    assert done.returncode == 2 and done.stderr.count("data.sources.mine") == 1


def test_what_no_sound_row_says_is_not_printed(folder: Path) -> None:
    written(folder, [row(answer={"kind": "num", "gold": 4}), row(answer="4")])
    done = pellucid("data", "check", "rows.json", cwd=folder)
    assert done.returncode == 1 and "0 of them sound" in done.stdout
    assert not any(line.rstrip().endswith(":") for line in done.stdout.splitlines()), done.stdout
    told = " ".join(done.stdout.split())
    assert """'4' is not an answer; write {"kind": "text", "gold": "..."}""" in told
