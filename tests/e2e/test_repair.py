"""`pellucid data repair` from the command line, and the page that tells of it."""

import json
import re
from pathlib import Path

import pytest
from tests.e2e.command import pellucid
from tests.unit.data.repair.rows import COUNT, PICK, but, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "repair.md"
MENDED = but(COUNT, "How many bars are there?\n<image>")
ROWS = [
    COUNT,
    but(COUNT, "How many bars are there?\n<iamge>"),
    but(PICK, None, "C"),
    {
        "odd": 1.5e300,
        "unused": "ä",
        **but(COUNT, None, "5", answer={"kind": "number", "gold": "5"}),
    },
    row("Say \x1b[31mred.", "red", image=None),
]


def lines(path: Path, rows: list) -> str:
    text = "".join(
        json.dumps(one, ensure_ascii=number % 2 == 0) + "\n" for number, one in enumerate(rows)
    )
    path.write_text(text, encoding="utf-8")
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines(tmp_path / "rows.jsonl", ROWS)
    return tmp_path / "rows.jsonl"


def test_it_only_looks_until_it_is_told_where_to_write(file: Path) -> None:
    before = file.read_bytes()
    done = pellucid("data", "repair", file, cwd=file.parent)
    assert done.returncode == 0, done.stderr
    assert "changed 2" in done.stdout and "nothing was written" in done.stdout
    assert "many bars are there?\\n<image>" in done.stdout
    assert "\x1b" not in done.stdout, "what a terminal would obey is spelt out"
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if "rows.jsonl" not in line)
    assert file.read_bytes() == before and len(list(file.parent.iterdir())) == 1


def test_sound_lines_are_written_as_they_were(file: Path) -> None:
    given = file.read_text(encoding="utf-8").splitlines()
    done = pellucid("data", "repair", file, "--to", "out.jsonl", "--json", cwd=file.parent)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"] == 5 and told["changed"] == 2
    # The second row is one that the first and the fourth contradict once it is mended.
    assert told["operators"]["contradictions"] == {"changed": 0, "flagged": 3}
    made = (file.parent / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [made[0], made[2], made[3]] == [given[0], given[2], given[3]]
    assert json.loads(made[1]) == MENDED
    log = (file.parent / "out.jsonl.repairs.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in log]
    assert {(one["row"], one["op"]) for one in entries if "after" in one} == {
        (1, "tag_spelling"), (4, "hidden_characters"),
    }  # fmt: skip
    assert (2, "gold_and_reply") in {(one["row"], one["op"]) for one in entries if "flag" in one}


def test_again_is_the_same_and_another_file_is_not_overwritten(file: Path) -> None:
    command = ("data", "repair", file, "--to", "out.jsonl")
    first = pellucid(*command, cwd=file.parent)
    made = (file.parent / "out.jsonl").read_bytes()
    second = pellucid(*command, cwd=file.parent)
    assert first.returncode == second.returncode == 0
    assert (file.parent / "out.jsonl").read_bytes() == made
    again = pellucid("data", "repair", "out.jsonl", "--json", cwd=file.parent)
    assert json.loads(again.stdout)["changed"] == 0
    (file.parent / "out.jsonl").write_text("mine\n")
    refused = pellucid(*command, cwd=file.parent)
    assert refused.returncode == 2 and "holds something else" in refused.stderr
    assert (file.parent / "out.jsonl").read_text() == "mine\n"
    assert not list(file.parent.glob(".*.tmp"))


def test_a_list_stays_a_list_and_a_broken_line_stays_a_line(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(ROWS), encoding="utf-8")
    done = pellucid("data", "repair", "rows.json", "--to", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert made[1] == MENDED and made[3] == ROWS[3] and len(made) == 5
    (tmp_path / "odd.jsonl").write_bytes(
        b'{"a": \n\n[1]\n\xff\xfe\n{"x": NaN}\n' + b"[" * 5000 + b"\n"
    )
    done = pellucid("data", "repair", "odd.jsonl", "--to", "kept.jsonl", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) | {"file": ""} == {
        "file": "", "rows": 5, "changed": 0, "flagged": 5, "same": 0, "to": "kept.jsonl",
        "log": "kept.jsonl.repairs.jsonl", "operators": {"soundness": {"changed": 0, "flagged": 5}},
    }  # fmt: skip
    assert b"\xff\xfe\n" in (tmp_path / "kept.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("nothing.json",), "does not exist"),
        ((".",), "is a folder"),
        (("empty.jsonl",), "holds no rows"),
        (("rows.jsonl", "--only", "tag_speling"), "did you mean 'tag_spelling'"),
        (("rows.jsonl", "--to", "rows.jsonl"), "is the file itself"),
        (("rows.jsonl", "--to", "out.json"), "is not of the format"),
        (("rows.jsonl", "--images", "nowhere"), "is no folder"),
    ],
)
def test_refusals_are_one_line(file: Path, more: tuple[str, ...], said: str) -> None:
    (file.parent / "empty.jsonl").write_text("\n")
    done = pellucid("data", "repair", *more, cwd=file.parent)
    assert done.returncode == 2 and said in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_page(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (rows,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    for line in "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines():
        done = pellucid(*line.split()[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known: dict = {"row": json.loads(rows.splitlines()[0])}
    exec(code, known)
    assert (
        json.loads((tmp_path / "mended.jsonl").read_text(encoding="utf-8").splitlines()[0])
        == known["found"].row
    )


def test_rows_of_another_format_are_sent_to_the_import(tmp_path: Path) -> None:
    """One line that names the way, and nothing that looks like a result."""
    chat = {"messages": [{"role": "user", "content": "2 + 2?"},
                         {"role": "assistant", "content": "4"}]}  # fmt: skip
    lines(tmp_path / "chat.jsonl", [chat] * 3)
    lines(tmp_path / "odd.jsonl", [{"a": 1}] * 3)
    (tmp_path / "table.csv").write_text("question,answer\n2 + 2?,4\n", encoding="utf-8")
    for name, says in (
        ("chat.jsonl", "data import chat.jsonl --set repair=true"),
        ("table.csv", "data import table.csv --set repair=true"),
        ("odd.jsonl", "holds rows of no known format"),
    ):
        done = pellucid("data", "repair", name, cwd=tmp_path)
        assert done.returncode == 2 and says in done.stderr and not done.stdout, done.stderr
        assert len(done.stderr.splitlines()) == 1
    # Turns under other names are ours to mend, in whatever part of the rows.
    renamed = {**COUNT, "conversation": COUNT["conversations"]}
    del renamed["conversations"]
    lines(tmp_path / "renamed.jsonl", [renamed, {"messages": "nothing"}, COUNT])
    done = pellucid("data", "repair", "renamed.jsonl", cwd=tmp_path)
    assert done.returncode == 0 and "field_names: 1 changed" in done.stdout
