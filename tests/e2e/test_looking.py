"""Looking at data and publishing it, with the commands; killed, on a full disk, and by the page."""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.e2e.command import pellucid
from tests.unit.data.stores import llava, write_rows

from pellucid import store

PAGE = Path(__file__).resolve().parents[2] / "docs" / "looking.md"
HARNESS = Path(__file__).with_name("kill_at.py")


def asked(*arguments: object, cwd: Path, code: int = 0) -> str:
    done = pellucid("data", *arguments, cwd=cwd)
    assert done.returncode == code, (arguments, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    return done.stdout if code != 2 else done.stderr


def tree(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def beside(smoke: Path, tmp_path: Path) -> Path:
    """A folder in which `runs/` is the workspace of the smoke run."""
    (tmp_path / "runs").symlink_to(smoke)
    return tmp_path


def source(home: Path, name: str) -> Path:
    """Folder of a source's store."""
    jobs = json.loads((home / "smoke/run.json").read_text(encoding="utf-8"))["jobs"]
    return home / "artifacts" / next(j["artifact"] for j in jobs if j["name"] == f"data.{name}")


def test_the_commands_of_the_page(beside: Path) -> None:
    lines = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in lines for line in block.splitlines()]
    assert len(commands) == 7
    for line in commands:
        words = line.split()
        assert words[:2] == [".venv/bin/pellucid", "data"]
        done = pellucid(*words[1:], cwd=beside)
        assert done.returncode == 0, (line, done.stderr)
        texts = words[2] in ("trace", "diff", "show")  # a record's own are not broken
        assert texts or max(map(len, done.stdout.splitlines())) <= 80
    assert (beside / "stats.html").read_text(encoding="utf-8").count("<figure>") > 10
    whole, store = beside / "whole", source(beside / "runs", "real")
    expected = tree(store)
    del expected["manifest.json"]
    again = tree(whole)
    lengths = {name for name in again if name.startswith("labels/lengths-")}
    assert lengths and lengths <= expected.keys()  # training's, of the rows that were published
    assert {name: data for name, data in expected.items() if "timing" not in name} | {
        name: again[name] for name in lengths
    } == again


def test_counts_agree_with_the_run(beside: Path) -> None:
    stats = json.loads(asked("stats", "smoke", "--json", cwd=beside))
    summed = [json.loads(asked("stats", f"smoke:{name}", "--json", cwd=beside))["records"]
              for name in ("charts", "shapes", "real")]  # fmt: skip
    assert stats["records"] == sum(summed) == stats["ledger"]["kept"]
    by_folder = asked("stats", source(beside / "runs", "real"), "--json", cwd=beside)
    assert json.loads(by_folder) == json.loads(asked("stats", "smoke:real", "--json", cwd=beside))
    same = json.loads(asked("diff", "smoke", "smoke", "--json", cwd=beside))
    assert same["same"] and same["kept"] == stats["records"]
    apart = json.loads(asked("diff", "smoke:charts", "smoke", "--json", "-n", "0", cwd=beside))
    assert (apart["kept"], apart["added"]) == (summed[0], sum(summed[1:]))


def test_a_store_is_shown_too(beside: Path) -> None:
    """Plainly; as a run sees it where one is named; filters work as for a run."""
    folder = source(beside / "runs", "real")
    plain = asked("show", folder, "-n", "1", "--split", "train", cwd=beside)
    assert "licence: " in plain and "\nuser: [image " in plain and "«" not in plain
    like = asked("show", folder, "--like", "smoke", "-n", "1", "--split", "train", cwd=beside)
    assert like == asked("show", "smoke:real", "-n", "1", "--split", "train", cwd=beside)
    assert "«" in like and like.startswith(plain.split("\n")[0].replace(":", "")), "one record"
    told = json.loads(
        asked("show", folder, "--json", "-n", "400", "--source", "pellucid-real", cwd=beside)
    )
    assert told and {one["record"]["source"]["dataset"] for one in told} == {"pellucid-real"}
    for words, says in (
        ((folder, "--source", "nowhere"), "fit no record"),
        (("smoke", "--like", "smoke"), "is for a store's folder"),
        ((folder, "--like", "nosuch"), "is not in"),
    ):
        assert says in asked("show", *words, cwd=beside, code=2)


def test_an_import_is_published_with_its_recipe_and_made_again(tmp_path: Path) -> None:
    """By the commands alone: the recipe needs the paths and nothing else."""
    rows = [llava(n, licence="MIT" if n % 2 else "Closed") for n in range(6)]
    write_rows(tmp_path / "pictures", rows)
    (tmp_path / "pictures" / "rows.json").rename(tmp_path / "rows.json")
    asked("import", "rows.json", "--to", "store", "--licence", "MIT", "--images", "pictures",
          "--set", "task=counting", "--seed", "3", cwd=tmp_path)  # fmt: skip
    asked("publish", "store", "--to", "public", "--allow", "mit", cwd=tmp_path)
    recipe = yaml.safe_load((tmp_path / "public/recipe.yaml").read_text(encoding="utf-8"))
    told = recipe["data"]["sources"]["store"]
    assert (recipe["seed"], told["kind"], told["task"]) == (3, "llava_json", "counting")
    refused = asked("rebuild", "public", "--from", "public/recipe.yaml", "--to", "no",
                    cwd=tmp_path, code=2)  # fmt: skip
    assert refused.count("SAY-WHERE") == 1 and not (tmp_path / "no").exists()
    told |= {"path": "../rows.json", "image_folder": "../pictures"}
    (tmp_path / "public/recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    asked("rebuild", "public", "--from", "public/recipe.yaml", "--to", "whole", cwd=tmp_path)
    whole, store = tree(tmp_path / "whole"), tree(tmp_path / "store")
    assert whole == {name: data for name, data in store.items() if not name.startswith("import.")}


def test_a_record_is_followed_into_the_mixes(beside: Path) -> None:
    """What the mix's own files say of a record, `data trace` says too."""
    shown = json.loads(pellucid("data", "show", "smoke", "--source", "charts", "--json", "-n", "40",
                                cwd=beside).stdout)  # fmt: skip
    seen = set()
    for one in shown[::9]:
        told = json.loads(asked("trace", "smoke", one["record"]["id"], "--json", cwd=beside))
        assert told["record"]["id"] == one["record"]["id"]
        assert told["chain"][0]["job"] == "data.charts" and told["chain"][0]["commit"]
        split, captions = one["record"]["source"]["split"], one["record"]["task"] == "caption"
        for mix in told["mixes"]:
            seen.add(mix["decision"])
            taken = split == "train" and (mix["mix"] == "instruct" or captions)
            assert (mix["decision"] == "kept") == taken, mix
            assert (mix["repeat"] > 0) == taken and bool(mix["reason"]) != taken
        assert {mix["mix"] for mix in told["mixes"]} == {"captions", "instruct"}
        place = told["images"][0]
        with open(beside / place["pack"], "rb") as pack:
            pack.seek(place["offset"])
            assert pack.read(4) == b"\x89PNG"
    assert seen == {"kept", "dropped"}


@pytest.mark.parametrize("verb", ["show", "stats", "trace", "card", "diff", "publish"])
def test_what_is_no_store(verb: str, beside: Path) -> None:
    more = {"trace": ["00"], "diff": ["smoke"], "publish": ["--to", "x", "--allow", "MIT"]}
    (beside / "empty").mkdir()
    (beside / "file.json").write_text("[]")
    for name, said in (
        ("empty", "is not a record store"),
        ("smok", "did you mean 'smoke'"),
        ("smoke:chart", "did you mean 'charts'"),
        ("no/where", "does not exist"),
        ("file.json", "import it first: pellucid data import file.json"),
    ):
        assert said in asked(verb, name, *more.get(verb, []), cwd=beside, code=2)


def test_refusals(beside: Path) -> None:
    told = asked("trace", "smoke", "0", cwd=beside, code=2)
    assert "fits several records" in told
    told = asked("publish", "smoke", "--to", "x", "--allow", "MIT", cwd=beside, code=2)
    assert "smoke:charts, smoke:shapes, smoke:real" in told
    told = asked("publish", "smoke:real", "--to", "x", "--allow", "GPL", cwd=beside, code=2)
    assert "CC-BY-4.0" in told and "MIT" in told
    told = asked("rebuild", "runs", "--to", "y", cwd=beside, code=2)
    assert "is no published store" in told
    asked("publish", "smoke:real", "--to", "x", "--allow", "MIT", cwd=beside)
    told = asked("rebuild", "x", "--to", "y", cwd=beside, code=2)
    assert "has withheld rows" in told
    told = asked("rebuild", "x", "--from", "x/recipe.yaml", "--to", "y", cwd=beside, code=2)
    assert "SAY-WHERE' does not exist" in told
    told = asked("rebuild", "x", "--from", "smoke:charts", "--to", "y", cwd=beside, code=1)
    assert "differences; nothing was written" in told and not (beside / "y").exists()


def test_drawn_scenes_come_back_from_their_recipe_alone(beside: Path, tmp_path: Path) -> None:
    """A closed licence on one's own scenes: the slice has all that draws them again."""
    (tmp_path / "r.yaml").write_text(
        "extends: smoke\nname: r\ndata: {sources: {charts: {licence: LicenseRef-own, scenes: 7}}}\n"
    )
    run = pellucid("run", "r.yaml", "--only", "data", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    # Nothing of it may go, so the withheld part is published beside one record that may.
    told = asked("publish", "r:charts", "--to", "p", "--allow", "MIT", cwd=tmp_path, code=2)
    assert "allow one of LicenseRef-own" in told
    asked("publish", "r:charts", "--to", "p", "--allow", "LicenseRef-own", cwd=tmp_path)
    slice_ = yaml.safe_load((tmp_path / "p/recipe.yaml").read_text(encoding="utf-8"))
    assert slice_["data"]["sources"]["charts"]["scenes"] == 7
    asked("rebuild", "p", "--from", "p/recipe.yaml", "--to", "w", cwd=tmp_path)
    assert json.loads(asked("diff", "w", "r:charts", "--json", cwd=tmp_path))["same"]


@pytest.fixture(scope="module")
def licensed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one source whose rows have two licences, and one faulty row."""
    folder = tmp_path_factory.mktemp("licensed")
    rows = [llava(at, licence="MIT" if at % 3 else "Closed") for at in range(12)]
    write_rows(folder, [*rows, llava(13, image="gone.png")])
    own = {"kind": "llava_json", "path": "rows.json", "dataset": "own", "licence": "MIT",
           "on_fault": "drop"}  # fmt: skip
    sources = {"own": own, "charts": {"scenes": 4}, "shapes": {"scenes": 20}}
    recipe = {"extends": "smoke", "name": "r", "data": {"sources": sources}}
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    run = pellucid("run", "r.yaml", "--only", "data", cwd=folder)
    assert run.returncode == 0, run.stderr
    asked("publish", "r:own", "--to", "public", "--allow", "MIT", cwd=folder)
    asked("rebuild", "public", "--from", "r.yaml", "--to", "whole", cwd=folder)
    return folder


def killed(folder: Path, pattern: str, number: int, *words: str) -> int:
    """End the command at a write to disk; 0 when it came to its end before."""
    log = folder / "kill.log"
    done = subprocess.run(
        [sys.executable, HARNESS, pattern, str(number), log, "data", *words],
        capture_output=True, text=True, cwd=folder, timeout=300,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize("verb", ["publish", "rebuild"])
def test_killed_and_called_again_the_bytes_are_the_same(verb: str, licensed: Path) -> None:
    """Ended at moments all over the work, each time one further on; then left to end."""
    words = {
        "publish": ("publish", "r:own", "--to", "again", "--allow", "MIT"),
        "rebuild": ("rebuild", "public", "--from", "r.yaml", "--to", "again"),
    }[verb]
    expected = tree(licensed / {"publish": "public", "rebuild": "whole"}[verb])
    ended = 0
    for number in (1, 2, 3, 4, 5, 7, 9, 12, 15, 18, 22, 27, 33):
        code = killed(licensed, r"again", number, *words)
        ended += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)
        if (licensed / "again").exists():  # also when it was ended after its last rename
            assert tree(licensed / "again") == expected, "there whole, or not at all"
            break
    assert ended >= 5
    if not (licensed / "again").exists():
        asked(*words, cwd=licensed)
    assert tree(licensed / "again") == expected
    shutil.rmtree(licensed / "again")
    left = [path.name for path in licensed.glob(".again*") if path.name != ".again.sources"]
    assert left == []


@pytest.mark.parametrize("limit_bytes", [0, 1000, 6000])
def test_a_full_disk(limit_bytes: int, licensed: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: one line, and the call goes on afterwards."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    words = ("publish", "r:own", "--to", tmp_path / "p", "--allow", "MIT")
    done = pellucid("data", *words, cwd=licensed, preexec_fn=limit)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "file-size limit" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "p").exists()
    asked(*words, cwd=licensed)
    assert tree(tmp_path / "p") == tree(licensed / "public")


def test_no_faulty_row_is_quoted(licensed: Path) -> None:
    stats = json.loads(asked("stats", "r:own", "--json", cwd=licensed))
    assert stats["ledger"] == {"kept": 12, "does not exist in the image folder": 1}
    public = json.loads(asked("stats", "public", "--json", cwd=licensed))
    assert public["ledger"]["kept"] == 8 and public["ledger"]["withheld: licence Closed"] == 4
    assert "gone.png" not in repr(public)
    assert "| withheld: licence Closed | 4 |" in (licensed / "public/README.md").read_text("utf-8")


def test_records_of_a_store_and_of_a_source_are_shown(beside: Path) -> None:
    folder = source(beside / "runs", "real")
    by_name, by_folder = (
        json.loads(asked("show", *one, "--json", "-n", "2", cwd=beside))
        for one in (("smoke:real",), (folder, "--like", "smoke"))
    )
    ids = [[one["record"]["id"] for one in shown] for shown in (by_name, by_folder)]
    assert ids[0] == ids[1] and len(ids[0]) == 2
    assert all(one["examples"][0]["supervised"] for one in by_folder)
    assert "did you mean 'real'" in asked("show", "smoke:rael", cwd=beside, code=2)
    assert "fit no record" in asked("show", folder, "--source", "x", cwd=beside, code=2)


def test_verbs_that_write_labels_take_a_source_of_a_run(smoke: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke, tmp_path / "runs")
    real = source(tmp_path / "runs", "real")
    asked("measure", "smoke:real", "--of", "reply", "--json", cwd=tmp_path)
    assert (real / "labels/reply_stats@1").is_dir()
    told = json.loads(asked("triage", "smoke:real", "--sample", "10", "--json", cwd=tmp_path))
    assert told["sets"] and (real / "labels/triage@1").is_dir()
    asked("export", "smoke:real", "--to", "real.jsonl", cwd=tmp_path)
    assert (tmp_path / "real.jsonl").read_text("utf-8").count("\n") == len(store.open(real))
    for verb, more in (("dedup", []), ("decontaminate", ["--against", real]), ("measure", [])):
        assert "did you mean 'real'" in asked(verb, "smoke:rael", *more, cwd=tmp_path, code=2)
