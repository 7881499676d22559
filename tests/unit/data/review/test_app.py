"""The server behind the page: who is answered, what is refused, what is written."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.unit.data.triage.stores import store

from pellucid import store as stores
from pellucid.data.review.app import create_app
from pellucid.data.review.journal import Journal
from pellucid.data.review.sitting import Sitting
from pellucid.data.triage import sets_of
from pellucid.recipe.triage import TriageOptions
from pellucid.schema.record import Source, assistant, make_record, user
from pellucid.store import Writer

HOST = "127.0.0.1:8123"


class Page:
    def __init__(self, folder: Path, journal: Journal, sample: int = 10) -> None:
        opened = stores.open(folder)
        self.sitting = Sitting(opened, sets_of(opened, TriageOptions()), sample, journal)
        self.ended = 0
        app = create_app(opened, self.sitting, "secret", frozenset((HOST,)), self._end)
        self.client = TestClient(app, base_url=f"http://{HOST}")

    def _end(self) -> None:
        self.ended += 1

    def get(self, path: str):
        return self.client.get(f"/secret/{path}")

    def post(self, path: str, told: object = None):
        return self.client.post(f"/secret/{path}", json={} if told is None else told)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    folder = store(tmp_path / "s", 40)
    with Journal(folder, "ana") as journal:
        yield Page(folder, journal)


def test_only_for_who_has_the_address(page: Page) -> None:
    assert page.get("").status_code == 200
    for path in ("/", "/wrong/", "/wrong/state", "/secret", "/docs", "/openapi.json"):
        assert page.client.get(path, follow_redirects=False).status_code in (307, 404), path
    for host in ("evil.example", "evil.example:8123", "127.0.0.1", "localhost:9999", ""):
        answer = page.client.get("/secret/state", headers={"Host": host})
        assert answer.status_code == 403, host
        answer = page.client.post("/secret/judge", headers={"Host": host}, json={})
        assert answer.status_code == 403, host
    assert not page.sitting.journal.open


def test_the_page_may_load_nothing_from_elsewhere(page: Page) -> None:
    first, second = page.get(""), page.get("")
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "http" not in policy and "unsafe" not in policy
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert first.text.count(f'nonce="{nonce}"') == 2 and "NONCE" not in first.text
    assert nonce not in second.text, "each page has its own"
    assert "http" not in first.text.replace("<!doctype html>", "")
    assert first.headers["referrer-policy"] == "no-referrer"
    assert 'lang="en"' in first.text and "viewport" in first.text


def test_what_is_judged_is_written_before_the_answer(page: Page) -> None:
    shown = page.get("record/0").json()
    assert shown["turns"][0]["parts"][0]["number"] == 1 and shown["gold"]["kind"] == "number"
    picture = page.get("image/" + shown["turns"][0]["parts"][0]["image"])
    assert picture.headers["content-type"] == "image/png"
    told = page.post("judge", {"at": 0, "classes": ["wrong_answers"], "seconds": 2.5}).json()
    assert told["next"] == 1
    assert (told["done"], told["total"], told["seconds"]) == (1, 10, 2.5)
    assert told["rate"]["rate"] == 1 and told["rate"]["low"] < told["rate"]["high"]
    line = page.sitting.journal.path.read_text()
    assert shown["id"] in line and "2.5" in line
    assert page.get("record/0").json()["judged"] == ["wrong_answers"]
    assert page.get("state").json()["first"] == 1
    assert page.post("undo").json()["at"] == 0
    assert page.post("undo").status_code == 409
    assert page.get("state").json()["first"] == 0


@pytest.mark.parametrize(
    "told",
    [
        {}, [], {"at": 0}, {"at": "0", "classes": [], "seconds": 1},
        {"at": 99, "classes": [], "seconds": 1}, {"at": -1, "classes": [], "seconds": 1},
        {"at": 0, "classes": ["nonsense"], "seconds": 1}, {"at": 0, "classes": "x", "seconds": 1},
        {"at": 0, "classes": [], "seconds": "long"}, {"at": 0, "classes": [[]], "seconds": 1},
    ],
)  # fmt: skip
def test_what_is_no_judgement_is_refused(page: Page, told: object) -> None:
    assert page.post("judge", told).status_code == 400
    assert not page.sitting.journal.open


def test_pictures_of_the_sample_only(page: Page) -> None:
    assert page.get("image/" + "0" * 64).status_code == 404
    assert page.get("image/..%2f..%2fstore.json").status_code == 404
    assert page.get("record/10").status_code == 404 and page.get("record/-1").status_code == 404


def test_the_end_of_a_sitting(page: Page) -> None:
    assert page.post("finish").json() == {"reviewer": "ana"} and page.ended == 1


def test_published_records_stay(tmp_path: Path) -> None:
    folder = store(tmp_path / "s", 40)
    with Journal(folder, "ana") as journal:
        page = Page(folder, journal)
        page.post("judge", {"at": 0, "classes": [], "seconds": 1})
        journal.publish()
    with Journal(folder, "ana") as journal:
        page = Page(folder, journal)
        assert page.get("record/0").json()["published"] is True
        assert page.get("state").json()["first"] == 1
        answer = page.post("judge", {"at": 0, "classes": [], "seconds": 1})
        assert answer.status_code == 409 and "never edited" in answer.json()["error"]


def test_a_picture_that_browsers_do_not_read_comes_as_png(tmp_path: Path) -> None:
    out = BytesIO()
    Image.new("RGB", (40, 30), (10, 200, 30)).save(out, "TIFF")
    writer = Writer(tmp_path / "s")
    record = make_record(
        messages=(user(0, "Which?"), assistant("green")), images=(writer.image(out.getvalue()),),
        answer=None, task="t", domain="d", source=Source("set", "train", 0, "MIT"),
    )  # fmt: skip
    writer.shard("shard-0", [record])
    writer.finish()
    with Journal(tmp_path / "s", "ana") as journal:
        page = Page(tmp_path / "s", journal)
        shown = page.get("record/0").json()
        assert shown["gold"] is None
        answer = page.get("image/" + shown["turns"][0]["parts"][0]["image"])
        assert answer.headers["content-type"] == "image/png"
        with Image.open(BytesIO(answer.content)) as picture:
            assert picture.getpixel((5, 5)) == (10, 200, 30)
