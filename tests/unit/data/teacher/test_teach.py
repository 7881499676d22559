"""`data teach` against a loopback teacher, as a user runs it."""

import json
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.e2e.command import pellucid
from tests.unit.data.teacher.things import endpoint_file, make_store, teacher, words_of
from tests.unit.endpoint.loopback import Act, Body, completion, serving

from pellucid import store
from pellucid.data import build_source
from pellucid.recipe.rows import LlavaJsonSource
from pellucid.score import judged
from pellucid.store import read_label


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def teach(folder: Path, *more: object, **named: Any) -> Any:
    common = ("data", "teach", "store", "--endpoint", "teacher.yaml", "--to", "out/rows.jsonl")
    return pellucid(*common, *more, cwd=folder, **named)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_store(tmp_path / "store", 30)
    return tmp_path


def test_answers_are_bought_verified_written_and_imported(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        done = teach(folder, "--k", 4, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        asked = len(server.requests)
        before = (folder / "out/rows.jsonl").read_bytes()
        again = teach(folder, "--k", 4, "--json")
        assert again.returncode == 0 and len(server.requests) == asked == 120
    assert (folder / "out/rows.jsonl").read_bytes() == before
    assert json.loads(again.stdout)["ended"]["had"] == 120
    rows, verdicts = lines(folder / "out/rows.jsonl"), lines(folder / "out/rows.verdicts.jsonl")
    held = store.open(folder / "store")
    assert len(verdicts) == 120 and len(rows) == told["wrote"]["rows"]
    reasons = Counter(one["reason"] for one in verdicts)
    assert {"right", "wrong", "truncated", "refused"} <= set(reasons)
    for one in verdicts:
        gold = held.get(one["id"]).answer
        if one["outcome"] != "answered":
            assert one["score"] is None and not one["kept"], "no scorer sees what is no answer"
        elif gold and one["reason"] in ("right", "wrong"):
            assert (one["reason"] == "right") == (judged(one["text"], gold) == 1.0)
    kept = {tuple(one["calls"]) for one in verdicts if one["kept"]}
    assert {tuple(row["lineage"]["calls"]) for row in rows} == kept
    options = LlavaJsonSource(
        path=str(folder / "out/rows.jsonl"), dataset="taught", licence="CC0-1.0"
    )
    build_source("taught", options, 0, folder / "imported")
    imported = store.open(folder / "imported")
    assert len(imported) == len(rows)
    for one in imported.records():
        last = one.messages[-1]
        assert last.reasoning and last.reasoning.startswith("I take") and last.mode == "think"
        assert "Answer:" not in last.text and "Think step" not in one.messages[0].text
        if one.answer:
            assert judged(last.text, one.answer) == 1.0


def test_the_label_says_how_far_the_answers_agree(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        assert teach(folder, "--k", 4).returncode == 0
        other = teach(folder, "--k", 3)
        assert other.returncode == 2 and "made with another asking" in other.stderr
    label = {row["id"]: row for row in read_label(folder / "store", "teacher", 1).to_pylist()}
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for one in lines(folder / "out/rows.verdicts.jsonl"):
        verdicts.setdefault(one["id"], []).append(one)
    assert set(label) == set(verdicts) == {r.id for r in store.open(folder / "store").records()}
    for id, row in label.items():
        answered = [one for one in verdicts[id] if one["outcome"] == "answered"]
        said = Counter(one["text"].rpartition("Answer: ")[2] for one in answered)
        assert row["k"] == 4 and row["answered"] == len(answered)
        assert row["agreement"] == pytest.approx(said.most_common(1)[0][1] / len(answered))
        scored = [one["score"]["value"] for one in answered if one["score"]]
        assert row["scored"] == len(scored)
        share = sum(scored) / len(scored) if scored else None
        assert row["correct_share"] == (share if share is None else pytest.approx(share))


def test_a_budget_ends_it_cleanly_and_more_of_it_goes_on(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        first = teach(folder, "--k", 4, "--budget-calls", 50)
        assert first.returncode == 1 and "stopped at the budget" in first.stdout
        assert len(server.requests) == 50 and "Traceback" not in first.stderr
        part = lines(folder / "out/rows.jsonl")
        assert not (folder / "store/labels").exists(), "a label is written when all is there"
        assert teach(folder, "--k", 4).returncode == 0
        assert len(server.requests) == 120
    assert 0 < len(part) < len(lines(folder / "out/rows.jsonl"))
    assert (folder / "store/labels").exists()


def test_a_dry_run_sends_nothing(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(
            folder / "teacher.yaml", server.url, prices={"input": 1e6, "output": 1e6},
            api_key_env="NOT_SET_ANYWHERE",
        )  # fmt: skip
        done = teach(folder, "--k", 2, "--dry-run", "--json")
        assert done.returncode == 0 and not server.requests, done.stderr
        plan = json.loads(done.stdout)
        assert plan["calls"] == 60 and plan["most_tokens"] == plan["most_money"] > 60 * 50
        refused = teach(folder, "--k", 2)
        assert refused.returncode == 2 and "NOT_SET_ANYWHERE" in refused.stderr


def test_a_vote_makes_the_gold_where_it_is_trusted(folder: Path) -> None:
    def wrong(_: int, body: Body) -> Act:
        assert words_of(body)
        return Act(body=completion("Let me see.\nAnswer: 7"))

    with serving(wrong) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        assert teach(folder, "--k", 3, "--trust", "vote", "--limit", 4).returncode == 0
    rows = lines(folder / "out/rows.jsonl")
    # Three equal answers are one row; the record without a gold gets none.
    assert len(rows) == 4 and all(row["conversations"][-1]["value"].endswith("7") for row in rows)
    assert [row["answer"]["gold"] for row in rows if "answer" in row] == ["7"] * 3


def test_a_judge_decides_what_no_rule_can(tmp_path: Path) -> None:
    from tests.unit.data.teacher.things import record

    from pellucid.schema.record import Answer, assistant, user
    from pellucid.store import Writer

    writer = Writer(tmp_path / "store")
    answer = Answer("json", '{"a": 1}')
    made = [record(0, (user("What is 1 plus 2?"), assistant("x")), answer)]
    writer.shard("a", made)
    writer.finish()
    votes = iter(["right", "right", "wrong"])

    def judge(_: int, body: Body) -> Act:
        assert '{"a": 1}' in words_of(body), "the judge sees the gold"
        return Act(body=completion(f"VERDICT: {next(votes)}"))

    with serving(lambda *_: Act(body=completion("It is a one."))) as server, serving(judge) as two:
        endpoint_file(tmp_path / "teacher.yaml", server.url)
        endpoint_file(tmp_path / "judge.yaml", two.url, model="judge")
        assert teach(tmp_path, "--judge", "judge.yaml").returncode == 0
        assert len(two.requests) == 3
        assert teach(tmp_path, "--judge", "judge.yaml").returncode == 0
        assert len(two.requests) == 3 and len(server.requests) == 1
    (verdict,) = lines(tmp_path / "out/rows.verdicts.jsonl")
    assert sorted(verdict["votes"]) == ["right", "right", "wrong"] and verdict["kept"]
    (row,) = lines(tmp_path / "out/rows.jsonl")
    assert len(row["lineage"]["calls"]) == 4, "the judge's calls are part of its lineage"


def test_every_picture_is_described_once(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        done = teach(folder, "--job", "caption", "--domain", "maths")
        assert done.returncode == 0 and "6 x no picture" in done.stdout, done.stdout
        assert len(server.requests) == 24
    rows = lines(folder / "out/rows.jsonl")
    assert len(rows) == len({row["image"] for row in rows}) == 24
    assert len({row["conversations"][0]["value"] for row in rows}) > 3, "humans say it differently"
    assert {row["task"] for row in rows} == {"caption"} and all("answer" not in row for row in rows)
    checked = pellucid("data", "check", "out/rows.jsonl", cwd=folder)
    assert checked.returncode == 0 and "24 of them sound" in checked.stdout, checked.stdout


def test_rewritten_questions_keep_their_numbers_and_their_answers(folder: Path) -> None:
    def act(number: int, body: Body) -> Act:
        if "What is 3 plus 21" in words_of(body):
            return Act(body=completion("What do three and 21 make?"))
        if "What is 4 plus 28" in words_of(body):
            return Act(body=completion("Is 4 plus 28 really 32?"))
        return teacher(number, body)

    with serving(act) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        done = teach(folder, "--job", "rewrite", "--k", 3)
        assert done.returncode == 0, done.stderr
        manners = {words_of(body).partition(":")[0] for _, body, _ in server.requests}
    assert len(manners) > 3
    reasons = {one["reason"] for one in lines(folder / "out/rows.verdicts.jsonl")}
    assert {"right", "lost 3", "gives the answer away"} <= reasons
    held = {one.id: one for one in store.open(folder / "store").records()}
    for row in lines(folder / "out/rows.jsonl"):
        before = held[row["lineage"]["parents"][0]]
        assert row["conversations"][1]["value"] == before.messages[-1].text
        assert row["conversations"][0]["value"].startswith("<image>") == bool(before.images)


def test_own_answers_are_verified_by_rule_and_voted_on_where_there_is_none(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        done = teach(folder, "--job", "verify", "--k", 3)
        assert done.returncode == 0, done.stderr
        # Five of thirty have no gold; all others are decided by the scorer, for nothing.
        assert len(server.requests) == 5 * 3
    label = read_label(folder / "store", "teacher-verify", 1).to_pylist()
    assert sum(row["correct_share"] == 1.0 for row in label) >= 25
    assert sum(row["agreement"] is not None for row in label) == 5


def test_test_records_are_not_asked_by_default(tmp_path: Path) -> None:
    make_store(tmp_path / "store", 3)
    endpoint_file(tmp_path / "teacher.yaml", "http://127.0.0.1:9/v1")
    done = teach(tmp_path, "--split", "test", "--dry-run")
    assert done.returncode == 2 and "has no such record" in done.stderr
    done = teach(tmp_path, "--split", "tset", "--dry-run")
    assert done.returncode == 2 and "did you mean 'test'" in done.stderr


def test_batch_files_go_out_and_come_back(folder: Path) -> None:
    """The same requests as files; their results are as good as bought one by one."""
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        written = teach(folder, "--k", 2, "--batch-to", "batch", "--json")
        assert written.returncode == 0 and not server.requests, written.stderr
        (path,) = json.loads(written.stdout)["files"]
        requests = lines(folder / path)
        assert len(requests) == 60 and not server.requests
        held = teach(folder, "--k", 2)
        assert held.returncode == 1 and "60 calls wait for a batch" in held.stdout
        assert not server.requests, "what stands in a file is not bought beside it"
    results = folder / "results.jsonl"
    with results.open("w", encoding="utf-8") as file:
        for number, one in enumerate(requests):
            act = teacher(number, one["body"])
            body = json.loads(act.body or b"")
            told = {"custom_id": one["custom_id"], "response": {"status_code": 200, "body": body}}
            file.write(json.dumps(told) + "\n")
    with serving() as idle:
        endpoint_file(folder / "teacher.yaml", idle.url)
        done = teach(folder, "--k", 2, "--batch-from", results)
        assert done.returncode == 0 and not idle.requests, done.stdout + done.stderr
    by_batch = (folder / "out/rows.jsonl").read_bytes()
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        online = pellucid(
            "data", "teach", "store", "--endpoint", "teacher.yaml", "--k", 2,
            "--to", "online/rows.jsonl", "--label", "other", cwd=folder,
        )  # fmt: skip
        assert online.returncode == 0 and len(server.requests) == 60
    assert (folder / "online/rows.jsonl").read_bytes() == by_batch


def test_the_ledger_goes_out_as_parquet(folder: Path) -> None:
    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        assert teach(folder, "--limit", 5, "--calls", "calls.parquet").returncode == 0
    table = pq.read_table(folder / "calls.parquet")
    rows = lines(folder / "out/rows.jsonl")
    assert table.num_rows == 5
    assert {key for row in rows for key in row["lineage"]["calls"]} <= set(table["key"].to_pylist())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": "x"}, "did you mean 'base_urls'"),
        ({"base_urls": ["ftp://x"]}, "is no address"),
        ({"base_urls": ["http://me:secret@x/v1"]}, "an address holds no key"),
        ({"extra": {"stream": True}}, "stream cannot stand in extra"),
        ({"budget": {"money": 3}}, "needs prices"),
        ({"temperature": 0}, "would all be the same"),
    ],
    ids=["unknown", "scheme", "key", "extra", "money", "greedy"],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    folder: Path, change: dict[str, Any], said: str
) -> None:
    endpoint_file(folder / "teacher.yaml", "http://127.0.0.1:9/v1", **change)
    done = teach(folder, "--k", 2)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_files_of_others_are_not_written_over(folder: Path) -> None:
    endpoint_file(folder / "teacher.yaml", "http://127.0.0.1:9/v1")
    (folder / "out").mkdir()
    (folder / "out/rows.jsonl").write_text("{}\n")
    done = teach(folder)
    assert done.returncode == 2 and "was not written by this command" in done.stderr
    assert (folder / "out/rows.jsonl").read_text() == "{}\n"
    (folder / "notes.txt").write_text("not a database, but long enough to look at" * 9)
    done = teach(folder, "--ledger", "notes.txt")
    assert done.returncode == 2 and "is no ledger" in done.stderr, done.stderr


def test_a_full_disk_is_one_line_and_costs_nothing_that_is_written(folder: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000))

    with serving(teacher) as server:
        endpoint_file(folder / "teacher.yaml", server.url)
        full = teach(folder, "--k", 8, preexec_fn=small)
        assert full.returncode == 2 and "writing the ledger" in full.stderr, full.stderr
        assert "run the same command again" in full.stderr and "Traceback" not in full.stderr
        before = len(server.requests)
        done = teach(folder, "--k", 8, "--json")
        assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # In flight at that moment: at most what runs at once.
    assert 0 < before <= told["planned"]["had"] + 64
    assert told["planned"]["had"] + told["ended"]["bought"] == 240


def test_an_endpoint_that_is_not_there_is_one_line(folder: Path) -> None:
    endpoint_file(folder / "teacher.yaml", "http://127.0.0.1:9/v1")
    done = teach(folder)
    assert done.returncode == 2 and "does not answer" in done.stderr
    assert "what was bought is saved" in done.stderr and "Traceback" not in done.stderr
