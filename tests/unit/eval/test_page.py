"""The report: self-contained, escaped, equal bytes, every number under an id with its interval."""

import base64
import io
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from pellucid.eval.page import (
    HTML,
    JSON,
    CatalogLine,
    JobLine,
    Judged,
    MixLine,
    PageInput,
    Sample,
    TaskLine,
    TrainingLog,
    render_page,
)
from pellucid.eval.page_stages import stages
from pellucid.eval.page_view import short, table
from pellucid.eval.plots import COLOURS, Point, front
from pellucid.schema.report import Metric, Report
from pellucid.schema.verdict import CheckResult, Verdict

HOSTILE = '<script>alert("x")</script> & <img src=http://evil.example/x.png> "quoted" \u202e\x07'

CUT = "<nothink>Bar A reaches 12 and bar B"
"""What a model had written when it reached its limit."""


def picture(width: int = 120, height: int = 80, kind: str = "PNG") -> bytes:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(("#0b5394", "#b45309", "#047857")):
        left = width * (index + 0.5) / 4
        draw.rectangle((left, height * (0.2 + 0.2 * index), left + width / 6, height), fill=colour)
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


def metric(name: str, value: float | None, half: float = 0.1, unit: str = "share") -> Metric:
    low, high = (None, None) if value is None else (value - half, value + half)
    return Metric(name, value, low, high, 24, 23, 1, 0, "wilson", 7, unit, "scorer", "{}")


def report(checkpoint: str, lift: float) -> Report:
    metrics = []
    for task, base in (("charts", 0.42), ("shapes", 0.55), ("real", 0.2)):
        for step, mode in enumerate(("auto", "nothink", "think")):
            at = f"eval.{checkpoint}.{task}.{mode}"
            value = base + lift + 0.05 * step
            metrics += [
                metric(f"{at}.all.accuracy", value),
                metric(f"{at}.all.tokens", 8.5 + 12 * step, 2.0, "tokens"),
                metric(f"{at}.all.truncated", 0.125),
                metric(f"{at}.all.chose_think", 0.3),
                metric(f"{at}.task-sum.accuracy", value - 0.1),
            ]
        metrics.append(metric(f"eval.{checkpoint}.{task}.think.all.gain", 0.1))
        metrics.append(metric(f"eval.{checkpoint}.{task}.auto.all.auto_gain", -0.04))
    for mode in ("auto", "nothink", "think"):
        at = f"eval.{checkpoint}.scenes.{mode}.all"
        metrics += [metric(f"{at}.mean_accuracy", 0.5 + lift), metric(f"{at}.min_accuracy", 0.4)]
        metrics.append(metric(f"{at}.accuracy", 0.48 + lift))
        metrics.append(metric(f"eval.{checkpoint}.charts.{mode}.all.majority", 0.15))
    if checkpoint == "rl":
        metrics.append(metric("eval.rl.charts_blank.nothink.all.accuracy", 0.13))
    timing = metric(f"eval.{checkpoint}.charts.auto.all.latency_p50_s", 0.31, 0.02, "s")
    return Report(checkpoint, "c" * 64, tuple(metrics), (timing,))


def log(job: str, steps: int = 60) -> TrainingLog:
    lines = [
        {"step": n, "loss": 4 / (1 + n / 8), "loss_by_mode": {"think": 1}} for n in range(steps)
    ]
    return TrainingLog(job.removeprefix("train."), job, lines)


def run_input() -> PageInput:
    verdict = Verdict(
        "INCONCLUSIVE",
        (
            CheckResult("answers", "floor", "PASS", "0.52 [0.42, 0.62] over 23 items (wilson, "
                        "seed 7); the floor is 0.4", ("eval.rl.charts.auto.all.accuracy",)),
            CheckResult("steady", "no_regression", "INCONCLUSIVE", "0.05 [-0.1, 0.2]; about 180 "
                        "items would decide it", ("eval.rl.charts.auto.all.accuracy",
                        "eval.long.charts.auto.all.accuracy"), 180),
        ),
        "p" * 64,
    )  # fmt: skip
    modes = ("auto", "think", "nothink")
    samples = [
        Sample(
            item=f"charts/{index}",
            checkpoint="rl",
            task="charts / sum",
            mode=modes[index % 3],
            images=(picture(100 + 10 * index, 70 + 5 * index),),
            question="What do the two tallest bars add up to?",
            thinking="The tallest is 12, the next 9. 12 + 9 = 21." if index % 3 == 1 else None,
            answer=None if index == 5 else "21",
            gold="21",
            outcome="truncated" if index == 5 else "answered",
            right=None if index == 7 else index % 2 == 0,
            written=CUT if index == 5 else "<nothink>21",
        )
        for index in range(12)
    ]
    rl = [
        {
            "step": n,
            "reward": 0.2 + n / 20,
            "clipped": None if n == 0 else 0.1 + n / 100,
            "scores": {"accuracy": n / 16, "brief": None},
        }
        for n in range(6)
    ]
    summary = {
        "records": 360,
        "seen_per_epoch": 420,
        "think_share": 0.2,
        "by_source": {"charts": 180, "shapes": 150, "real": 30},
        "by_task": {f"charts/{name}": 40 + n for n, name in enumerate("abcdefghij")},
        "by_mode": {"think": 72, "nothink": 288},
        "left_out": {
            "other split: test": 90,
            "same pictures, question and gold as a test record": 3,
        },
    }
    jobs = [
        JobLine("data.charts", "data", "a" * 64, "b" * 64, {}, 2.5),
        JobLine("mix.instruct", "mix", "c" * 64, "d" * 64, {"data.charts": "b" * 64}, 0.4),
        JobLine("train.align", "train", "e" * 64, "f" * 64, {"mix.instruct": "d" * 64}, 12.25),
    ]
    return PageInput(
        name="smoke",
        recipe="name: smoke\nseed: 0\n",
        commit="0123456789abcdef",
        dirty=True,
        seed=7,
        jobs=jobs,
        mixes=[MixLine("instruct", "mix.instruct", summary)],
        logs=[log("train.align"), log("train.instruct", 12)],
        rl=TrainingLog("rl", "rl", rl),
        reports=[report("long", 0.0), report("rl", 0.1)],
        verdict=verdict,
        samples=samples,
        entry=CatalogLine("smoke:0123456789ab", "0" * 64, "INCONCLUSIVE", ("candidate",), "9" * 64),
        tasks=[
            TaskLine("charts", "family", blank="charts_blank"),
            TaskLine("shapes", "family"),
            TaskLine("real", "shown"),
            TaskLine("scenes", "family", pool=True),
        ],
        judged=[
            Judged("release.steady.difference", metric("a - b", 0.05), {"a": "{}", "b": "{}"}),
        ],
    )


def bare() -> PageInput:
    """A run of which nothing is known but its recipe."""
    return replace(
        run_input(), jobs=[], mixes=[], logs=[], rl=None, reports=[], verdict=None, samples=[],
        entry=None, tasks=[], judged=[],
    )  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any], Path]:
    """The page of `run_input()`, made once."""
    folder = tmp_path_factory.mktemp("page")
    return *rendered(run_input(), folder), folder


def rendered(run: PageInput, folder: Path) -> tuple[Page, dict[str, Any]]:
    render_page(run, folder)
    assert sorted(path.name for path in folder.iterdir()) == [HTML, JSON]
    tree = json.loads((folder / JSON).read_text(encoding="utf-8"))
    return Page((folder / HTML).read_text(encoding="utf-8")), tree


def test_the_page_stands_alone(whole: Any) -> None:
    page, _, folder = whole
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"} == set()
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has a handler {name}"
            if name in ("src", "href"):
                assert value and value.startswith(("data:image/", "#")), (tag, value)
    source = (folder / HTML).read_text(encoding="utf-8")
    assert "url(" not in source and "@import" not in source
    policy = [told for tag, told in page.tags if tag == "meta" and "http-equiv" in told]
    assert "default-src 'none'" in str(policy[0]["content"])
    targets = {told.get("id") for _, told in page.tags}
    assert all(told["href"][1:] in targets for tag, told in page.tags if tag == "a")  # type: ignore[index]


def test_every_image_has_a_text_and_can_be_read(whole: Any) -> None:
    page, _, _ = whole
    images = [told for tag, told in page.tags if tag == "img"]
    # What each stage gave, accuracy against tokens, two stages, reward, clipped fraction, one term
    # of the reward, twelve samples.
    assert len(images) == 1 + 1 + 2 + 3 + 12
    assert all(told["alt"] and len(told["alt"]) > 20 for told in images)
    assert any("from 4 at step 0" in str(told["alt"]) for told in images)
    assert all(told["aria-label"] for tag, told in page.tags if told.get("role") == "img")


def test_equal_input_gives_equal_bytes_and_timing_changes_only_timing(
    whole: Any, tmp_path: Path
) -> None:
    _, before, folder = whole
    render_page(run_input(), tmp_path / "again")
    for name in (HTML, JSON):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    run = run_input()
    slower = replace(
        run,
        jobs=[replace(job, seconds=99.0) for job in run.jobs],
        reports=[replace(one, timing=()) for one in run.reports],
    )
    _, after = rendered(slower, tmp_path / "slower")
    assert before["timing"] != after["timing"]
    assert {**before, "timing": 0} == {**after, "timing": 0}


def test_the_front_holds_what_more_tokens_buy() -> None:
    def point(mode: str, accuracy: float, tokens: float, task: str = "charts") -> Point:
        return Point(task, mode, (0.0, accuracy, 1.0), (0.0, tokens, 99.0))

    points = [point("think", 0.6, 40), point("auto", 0.7, 20), point("nothink", 0.4, 5)]
    other = point("nothink", 0.9, 1, "shapes")
    assert [one.mode for one in front([*points, other], "charts")] == ["nothink", "auto"]
    dear = [point("nothink", 0.4, 5), point("auto", 0.4, 5), point("think", 0.8, 40)]
    assert [one.mode for one in front(dear, "charts")] == ["nothink", "think"]


def test_answers_that_count_in_no_accuracy_have_a_column_where_there_are_some() -> None:
    def columns(share: float) -> tuple[str, ...]:
        at = "eval.final.charts.auto.all"
        told = (metric(f"{at}.accuracy", 0.5), metric(f"{at}.undecided", share))
        return table(replace(report("final", 0), metrics=told)).columns

    assert columns(0.25) == ("accuracy", "undecided")
    assert columns(0.0) == ("accuracy",)


def test_the_validation_loss_stands_in_the_picture_of_its_stage(tmp_path: Path) -> None:
    def svgs(logs: list[TrainingLog], folder: Path) -> list[tuple[str, str]]:
        folder.mkdir()
        page, _ = rendered(replace(bare(), logs=logs), folder)
        images = [attrs for tag, attrs in page.tags if tag == "img"]
        sources = [(attrs["alt"] or "", (attrs["src"] or "").partition(",")[2]) for attrs in images]
        return [(alt, base64.b64decode(src).decode()) for alt, src in sources]

    alone, read = log("train.align"), log("train.align")
    for at in (9, 19, 29):
        read.steps[at]["validation"] = {"loss": 3.0 - at / 29}
    ((plain, one),) = svgs([alone], tmp_path / "alone")
    ((said, two),) = svgs([read], tmp_path / "read")
    assert "validation" not in plain and said.endswith("; validation loss 2 at the end.")
    second = COLOURS[1].lower()
    assert second in two.lower() and second not in one.lower(), "it is drawn, not only told"


def test_every_number_has_its_interval_count_method_seed_and_job(whole: Any) -> None:
    run = run_input()
    _, tree, _ = whole
    numbers = tree["numbers"]
    for one in run.reports:
        for measured in one.metrics:
            told = dict(numbers[measured.id])
            assert told.pop("job") == f"eval.{one.checkpoint}"
            assert {**told, "id": measured.id} == asdict(measured)
    fields = {"value", "low", "high", "n", "method", "seed", "job"}
    assert all(fields <= told.keys() for told in numbers.values())
    assert numbers["mix.instruct.by_mode.think"]["value"] == 72
    assert numbers["mix.instruct.think_share"]["value"] == 0.2
    assert numbers["mix.instruct.left_out.other split: test"]["job"] == "mix.instruct"
    # 4 / (1 + 59 / 8) = 32 / 67
    assert numbers["train.align.loss.last"]["value"] == pytest.approx(32 / 67)
    assert tree["curves"]["rl.clipped"]["points"][0] == [1, 0.11]
    assert tree["curves"]["rl.scores.accuracy"]["points"][1] == [1, 0.0625]
    assert "rl.scores.brief" not in tree["curves"], "what was never scored has no curve"
    latency = tree["timing"]["numbers"]["eval.rl.charts.auto.all.latency_p50_s"]
    assert latency["value"] == 0.31 and not any("latency" in name for name in numbers)
    assert tree["timing"]["jobs"] == {"data.charts": 2.5, "mix.instruct": 0.4, "train.align": 12.25}


def test_every_number_on_the_page_stands_in_the_json(whole: Any) -> None:
    page, tree, _ = whole
    shown = [told for tag, told in page.tags if tag == "span" and told.get("class") == "value"]
    assert len(shown) > 2 * 3 * 3 * 3
    assert all(told["title"] in tree["numbers"] for told in shown)
    accuracy = tree["numbers"]["eval.rl.charts.think.all.accuracy"]
    assert accuracy["value"] == pytest.approx(0.62)
    assert "0.620" in page.text and "[0.520, 0.720]" in page.text
    for name, count in (("think", 72), ("nothink", 288), ("shapes", 150)):
        assert re.search(rf"{name}\s+{count}", page.text), name


def test_stages_stand_side_by_side_with_their_baselines() -> None:
    shown = stages(run_input())
    assert shown.checkpoints == ("long", "rl")
    (family, rows), (apart, others) = shown.tables
    assert (family, apart) == ("family", "shown")
    assert [row.task for row in others] == ["real"] * 3
    by = {(row.task, row.mode, row.note): row for row in rows}
    assert len(rows) == len(by) == 3 + 3 + 6
    charts = by["charts", "nothink", ""]
    assert [cell and cell.id for cell in charts.cells] == [
        "eval.long.charts.nothink.all.accuracy", "eval.rl.charts.nothink.all.accuracy",
    ]  # fmt: skip
    assert charts.majority and charts.majority.id == "eval.rl.charts.nothink.all.majority"
    assert charts.blank and charts.blank.id == "eval.rl.charts_blank.nothink.all.accuracy"
    assert by["charts", "auto", ""].blank is None and by["shapes", "auto", ""].majority is None
    mean = by["scenes", "auto", "mean of tasks"]
    assert [cell and cell.value for cell in mean.cells] == [0.5, 0.6]
    assert by["scenes", "auto", "lowest task"].cells[0].value == 0.4  # type: ignore[union-attr]


def test_a_checkpoint_that_was_not_asked_leaves_a_gap(whole: Any, tmp_path: Path) -> None:
    page, _, _ = whole
    assert "What each stage gave" in page.text and "Shown apart" in page.text
    assert "Withheld combinations" not in page.text
    run = run_input()
    first = replace(run.reports[0], metrics=run.reports[0].metrics[-1:])
    alone = replace(run, reports=[first, run.reports[1]])
    cells = [row.cells for kind, rows in stages(alone).tables for row in rows]
    assert all(before is None and after is not None for before, after in cells[:6])
    page, _ = rendered(alone, tmp_path)
    assert "–" in page.text


def test_what_the_gate_measured_has_an_id_on_the_page_and_in_the_json(whole: Any) -> None:
    page, tree, _ = whole
    told = tree["numbers"]["release.steady.difference"]
    assert (told["value"], told["job"], told["sides"]) == (0.05, "release", {"a": "{}", "b": "{}"})
    assert "release.steady.difference" in page.text


def test_the_verdict_stands_on_top_with_its_evidence(whole: Any) -> None:
    run = run_input()
    page, tree, _ = whole
    assert run.verdict and tree["verdict"]["outcome"] == "INCONCLUSIVE"
    words = ["Verdict", "answers", "Accuracy by task", "Training", "Mixes", "12 samples", "Jobs"]
    places = [page.text.index(word, page.text.index("Recipe")) for word in words]
    assert places == sorted(places)
    for check in run.verdict.checks:
        assert check.why in page.text and all(name in page.text for name in check.evidence)
    assert "about 180 items would decide it" in page.text


def test_samples_show_question_thinking_answer_and_gold(whole: Any) -> None:
    page, tree, _ = whole
    assert page.text.count("What do the two tallest bars add up to?") == 12
    assert page.text.count("12 + 9 = 21.") == 4
    badges = re.findall(r"\b(right|wrong|unscored)\b", page.text.split("12 samples")[1])
    assert badges.count("right") >= 6 and badges.count("wrong") >= 5
    assert f"{CUT}… cut off here" in page.text
    assert "none (truncated)" in page.text and page.text.count("cut off here") == 1
    assert "<nothink>21" not in page.text, "an answer stands without its control tokens"
    assert len(tree["samples"]) == 12 and tree["samples"][5]["answer"] is None
    assert all(len(sample["images"][0]) == 64 for sample in tree["samples"])


def test_texts_of_models_and_data_are_escaped(tmp_path: Path) -> None:
    run = run_input()
    bad = replace(run.samples[0], question=HOSTILE, thinking=HOSTILE, answer=HOSTILE, gold=HOSTILE)
    summary = {"by_source": {HOSTILE: 3}}
    mixes = [MixLine(HOSTILE, "mix.a", summary)]
    run = replace(bare(), samples=[bad], recipe=HOSTILE, mixes=mixes)
    page, tree = rendered(run, tmp_path)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any("evil" in str(told.get("src")) for tag, told in page.tags if tag == "img")
    assert page.text.count('<script>alert("x")</script>') == 7
    assert tree["samples"][0]["question"] == HOSTILE


@pytest.mark.parametrize("outcome", ["truncated", "malformed", "failed"])
def test_what_came_to_no_answer_is_shown_as_it_was_written(outcome: str, tmp_path: Path) -> None:
    """Once, with its thinking in it, and marked as cut only where it was."""
    (one, *_), text = run_input().samples, f"<think>Twelve and {HOSTILE}"
    said = {"answer": None, "outcome": outcome, "thinking": f"Twelve and {HOSTILE}"}
    page, _ = rendered(replace(bare(), samples=[replace(one, **said, written=text)]), tmp_path)
    assert page.text.count(text) == page.text.count("Twelve and ") == 1
    for mark in ("Written, cut off at the limit", "cut off here"):
        assert (mark in page.text) == (outcome == "truncated"), "at its head and at its end"
    assert f"none ({outcome})" in page.text and "script" not in {tag for tag, _ in page.tags}
    page, _ = rendered(replace(bare(), samples=[replace(one, **said, written="")]), tmp_path)
    assert "Written" not in page.text and f"none ({outcome})" in page.text


def test_large_and_odd_pictures_are_shown_small(tmp_path: Path) -> None:
    run = run_input()
    large = replace(run.samples[0], images=(picture(3000, 1000), picture(90, 60, "GIF")))
    page, _ = rendered(replace(bare(), samples=[large]), tmp_path)
    shown = [str(told["src"]) for tag, told in page.tags if tag == "img"][-2:]
    sizes = []
    for uri in shown:
        data = base64.b64decode(uri.partition(",")[2])
        with Image.open(io.BytesIO(data)) as image:
            sizes.append(image.size)
    assert sizes == [(480, 160), (90, 60)]


def test_a_run_with_nothing_but_a_recipe_has_a_page(tmp_path: Path) -> None:
    page, tree = rendered(bare(), tmp_path)
    assert "Nothing was evaluated." in page.text and tree["numbers"] == {}


def test_numbers_that_were_not_measured_say_so(tmp_path: Path) -> None:
    none = metric("eval.rl.charts.auto.all.accuracy", None)
    tokens = metric("eval.rl.charts.auto.all.tokens", 4.0, unit="tokens")
    run = replace(bare(), reports=[Report("rl", "c", (none, tokens))])
    page, tree = rendered(run, tmp_path)
    assert "none" in page.text
    assert tree["numbers"][none.id]["value"] is None
    assert not any("Scatter" in str(told.get("alt")) for _, told in page.tags)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "share", "0.000"),
        (123456.0, "", "123,456"),
        (1234.56, "", "1,235"),
        (0.00012, "", "0.00012"),
        (None, "", "none"),
        (12.0, "tokens", "12"),
    ],
)
def test_numbers_for_people(value: float | None, unit: str, text: str) -> None:
    assert short(value, unit) == text
