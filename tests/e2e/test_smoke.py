"""One recipe through every room, as a user would: run, look, trace, gate, serve, run again."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.command import hashes, pellucid, stable_files, untimed


def told(*arguments: object) -> Any:
    done = pellucid(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def report(home: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((home / "smoke/report/report.json").read_text("utf-8"))
    return tree


def test_every_job_left_an_artifact(smoke: Path) -> None:
    assert list(hashes(smoke, "smoke")) == [
        "data.charts", "data.shapes", "data.real",
        "mix.captions", "mix.instruct", "mix.prompts", "mix.held",
        "init", "train.align", "train.instruct", "train.long", "rl",
        "eval.long", "eval.rl", "release",
    ]  # fmt: skip


def test_the_first_file_is_the_resolved_recipe(smoke: Path) -> None:
    done = pellucid("recipe", "show", "smoke")
    assert (smoke / "smoke" / "recipe.yaml").read_text("utf-8") == done.stdout


def test_a_second_run_builds_nothing(smoke: Path) -> None:
    assert told("run", "smoke", "--home", smoke, "--json")["built"] == []


def test_report_says_again_what_the_run_said(smoke: Path) -> None:
    run, again = (
        pellucid("run", "smoke", "--home", smoke),
        pellucid("report", "smoke", "--home", smoke),
    )
    assert again.returncode == 0 and again.stdout == run.stdout
    assert pellucid("report", "smok", "--home", smoke).stderr.endswith("did you mean 'smoke'?\n")


def test_chat_with_the_released_model(smoke: Path) -> None:
    asked = ("chat", "smoke", "How many bars are there?", "--home", smoke)
    answer = json.loads(pellucid(*asked, "--mode", "nothink", "--json").stdout)
    assert answer["mode"] == "nothink" and 0 < answer["tokens"] <= 256
    plain = pellucid(*asked, "--mode", "nothink")
    assert plain.stdout.strip() == (answer["answer"] or "")
    assert plain.returncode == (0 if answer["outcome"] == "answered" else 2)
    refused = pellucid("chat", "smoke", "x", "--image", smoke, "--home", smoke)
    assert refused.returncode == 2 and "this is a folder" in refused.stderr


def test_two_fresh_runs_agree_in_every_byte(smoke: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert pellucid("run", "smoke", "--home", again).returncode == 0
    assert stable_files(again, "smoke") == stable_files(smoke, "smoke")
    assert untimed(report(again)) == untimed(report(smoke))


def test_a_forced_job_comes_out_the_same_and_nothing_after_it_runs(
    smoke: Path, tmp_path: Path
) -> None:
    home = tmp_path / "copy"
    shutil.copytree(smoke, home)
    result = told("run", "smoke", "--home", home, "--only", "mix", "--force", "--json")
    assert result["built"] == ["mix.captions", "mix.instruct", "mix.prompts", "mix.held"]
    assert hashes(home, "smoke") == hashes(smoke, "smoke")


def test_an_edited_mix_reruns_what_it_feeds_and_nothing_else(smoke: Path) -> None:
    change = ("--set", "data.mixes.prompts.seed=5")
    planned = told("plan", "smoke", *change, "--home", smoke, "--json")
    rows = {row["name"]: row["state"] for row in planned["jobs"]}
    rerun = [name for name, state in rows.items() if state != "done"]
    assert rerun == ["mix.prompts", "rl", "eval.rl", "release"]


def test_the_plan_of_a_made_mix_is_what_the_stages_did(smoke: Path) -> None:
    """Records, tokens, patches, packs and steps of the plan, against the stages' own logs."""
    stages = told("plan", "smoke", "--home", smoke, "--json")["stages"]
    assert [one["stage"] for one in stages] == ["align", "instruct", "long"]
    tree = json.loads((smoke / "smoke/run.json").read_text())
    folders = {job["name"]: smoke / "artifacts" / job["artifact"] for job in tree["jobs"]}
    for one in stages:
        lines = (folders[f"train.{one['stage']}"] / "log.jsonl").read_text().splitlines()
        log, counts = [json.loads(line) for line in lines], one["counts"]
        for name in ("records", "tokens", "supervised", "patches", "packs"):
            assert counts[name] == sum(row[name] for row in log), (one["stage"], name)
        assert one["steps"] == len(log)
        assert len(counts["fill"]) == 10 and sum(counts["fill"]) == counts["packs"]
        low, high = (
            sum(count * (at + more) / 10 for at, count in enumerate(counts["fill"]))
            for more in (0, 1)
        )
        assert low <= counts["occupancy"] * counts["packs"] <= high + 1e-6
        assert counts["source"] == "the mix" and one["flops"] > 0
        weights = (folders[f"train.{one['stage']}"] / "checkpoint/model.safetensors").stat().st_size
        assert one["checkpoint_bytes"] == pytest.approx(weights, rel=0.02)
    text = " ".join(pellucid("plan", "smoke", "--home", smoke).stdout.split())
    assert text.count(" full up to ") == text.count("; a checkpoint is ") == 3


def test_measuring_leaves_nothing_behind(smoke: Path, tmp_path: Path) -> None:
    """`plan --measure` does the first steps and forgets them; without a mix it says what to do."""
    before = sorted(path for path in smoke.rglob("*") if path.is_file())
    found = told("plan", "smoke", "--home", smoke, "--measure", "--json")
    assert found["measured"].keys() == {"align", "instruct", "long"}
    for one in found["measured"].values():
        assert 0 < one["seconds"] < 600 and one["bytes"] > 0 and one["steps"] >= 1
    assert sorted(path for path in smoke.rglob("*") if path.is_file()) == before
    done = pellucid("plan", "smoke", "--home", tmp_path / "none", "--measure")
    assert done.returncode == 2
    assert "--measure='align' needs mix.captions and init; run --only data" in done.stderr


def test_only_without_its_parents_is_refused(tmp_path: Path) -> None:
    done = pellucid("run", "smoke", "--home", tmp_path / "r", "--only", "rl")
    assert done.returncode == 2
    assert "has no result yet, and a selected job builds on it" in done.stderr


def test_every_number_traces_to_rows_records_and_sources(smoke: Path) -> None:
    tree = report(smoke)
    of_rows = [id for id in tree["numbers"] if id.startswith("eval.")]
    ids = random.Random(0).sample(of_rows, 80)  # each costs a look at every artifact
    ids += [id for id in tree["numbers"] if not id.startswith("eval.")]
    ids += list(tree["timing"]["numbers"])[:6]
    ids += [f"timing.jobs.{job}" for job in tree["timing"]["jobs"]]
    ids += [f"{curve}[{points['points'][0][0]}]" for curve, points in tree["curves"].items()]
    from pellucid.flow.trace import trace

    for id in ids:
        found = trace(smoke, "smoke", id)
        types = {link.type for link in found.chain}
        assert found.chain[0].job == found.number["job"]
        if found.chain[0].type == "eval":
            assert {"eval", "data"} < types and found.rows
            assert len(found.rows) >= found.number.get("n", 0)
            assert {row["record"] for row in found.rows} == {item["id"] for item in found.records}
        if found.chain[0].type in ("train", "rl"):
            assert {"mix", "data", "init"} <= types and found.rows


def test_trace_prints_what_a_person_needs(smoke: Path) -> None:
    done = pellucid("trace", "smoke", "eval.rl.charts.auto.all.accuracy", "--home", smoke)
    assert done.returncode == 0, done.stderr
    for word in ("rows (", "records (", "rests on:", "rl ", "mix.prompts", "data.charts", "CC0"):
        assert word in done.stdout


def test_an_unknown_number_suggests_the_nearest(smoke: Path) -> None:
    done = pellucid("trace", "smoke", "eval.rl.charts.auto.all.acuracy", "--home", smoke)
    assert done.returncode == 2
    assert "did you mean 'eval.rl.charts.auto.all.accuracy'" in done.stderr


def test_the_gate_ends_with_its_verdict(smoke: Path) -> None:
    done = pellucid("gate", "smoke", "--home", smoke, "--json")
    outcome = json.loads(done.stdout)["outcome"]
    assert done.returncode == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}[outcome]


def test_the_catalog_knows_the_model(smoke: Path) -> None:
    (entry,) = told("catalog", "list", "--home", smoke, "--json")
    assert entry["model"] == "smoke"
    assert (Path(entry["path"]) / "model.safetensors").is_file()
    assert told("catalog", "show", entry["model"], "--home", smoke, "--json") == entry


def test_eval_of_the_released_model_repeats_the_runs_rows(smoke: Path) -> None:
    tree = told("eval", "smoke", "smoke", "--home", smoke, "--json")["report"]
    ours = {metric["id"].replace("eval.model.", ""): metric["value"] for metric in tree["metrics"]}
    theirs = {
        id.removeprefix("eval.rl."): number["value"]
        for id, number in report(smoke)["numbers"].items()
        if id.startswith("eval.rl.")
    }
    assert ours == theirs


def test_data_show_marks_what_is_supervised(smoke: Path) -> None:
    done = pellucid("data", "show", "smoke", "--source", "charts", "-n", "2", "--home", smoke)
    assert done.returncode == 0, done.stderr
    assert "«" in done.stdout and "tokens supervised" in done.stdout and "[image " in done.stdout


def test_runs_list_and_clean(smoke: Path, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(smoke, home)
    runs = {run["name"]: run for run in told("runs", "list", "--home", home, "--json")}
    assert runs["smoke"]["jobs"] == 15
    (home / "artifacts" / ".partial-train-abc").mkdir()
    (home / "artifacts" / "data-unused").mkdir()
    gone = told("runs", "clean", "--home", home, "--json")["removed"]
    assert {"artifacts/.partial-train-abc", "artifacts/data-unused"} <= set(gone)
    assert hashes(home, "smoke") == hashes(smoke, "smoke")
    assert told("run", "smoke", "--home", home, "--json")["built"] == []


def test_the_page_stands_alone(smoke: Path) -> None:
    page = (smoke / "smoke/report/index.html").read_text("utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page
    assert page.count("<img") >= 12


@pytest.mark.parametrize("name", ["smoke-three-stages", "smoke-one-stage"])
def test_the_published_shapes_run_from_the_same_code(name: str, smoke: Path) -> None:
    result = told("run", name, "--home", smoke, "--json")
    jobs = list(result["artifacts"])
    assert ("rl" in jobs) == (name == "smoke-one-stage")
    stages = [job for job in jobs if job.startswith("train.")]
    assert len(stages) == (3 if name == "smoke-three-stages" else 1)
    assert result["verdict"]["outcome"] in ("PASS", "FAIL", "INCONCLUSIVE")
