"""Mixes as queries: on random stores and queries the ledger adds up and what is asked holds."""

import io
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.data.mixes import Row, build, label, run

from pellucid import store
from pellucid.base.errors import UserError
from pellucid.recipe.mix import Licences, Mix, Take, Where
from pellucid.schema.record import Source, assistant, make_record, user
from pellucid.store import Store, Writer, write_label

THINK = "Steps."


@st.composite
def rows(draw) -> list[Row]:
    """Up to 40 rows of two tasks, of which some ask the same, think, or have no licence."""
    made = draw(
        st.lists(
            st.tuples(
                st.integers(0, 14), st.sampled_from("ab"), st.booleans(),
                st.sampled_from(["MIT", "CC0-1.0", "GPL-3.0 AND MIT", ""]),
                st.sampled_from(["train"] * 5 + ["validation", "test"]), st.integers(0, 3),
            ),
            min_size=4,
            max_size=40,
        )
    )  # fmt: skip
    return [
        Row(f"q{q}", split, task, THINK if thinks else None, f"d{gold % 2}", licence, str(gold))
        for q, task, thinks, licence, split, gold in made
    ]


@st.composite
def queries(draw) -> Mix:
    """A mix of one to three ingredients; counts and shares small enough to be met now and then."""
    size = draw(st.integers(1, 3))
    shared = draw(st.booleans())
    cuts = sorted(draw(st.lists(st.integers(1, 9), min_size=size - 1, max_size=size - 1)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, 10], strict=True)]
    assume(all(parts))
    takes = []
    for part in parts:
        takes.append(
            Take(
                source=draw(st.sampled_from(["x", "y"])),
                tasks=draw(st.sampled_from([(), ("a",), ("b",)])),
                domains=draw(st.sampled_from([(), (), ("d0",)])),
                share=part / 10 if shared else None,
                count=None if shared else draw(st.none() | st.integers(1, 4)),
                repeat=draw(st.sampled_from([1, 1, 2, 2.5])),
                max_repeat=draw(st.sampled_from([None, 4])) if shared else None,
                mode=draw(st.sampled_from(["as_is", "as_is", "nothink"])),
            )
        )
    return Mix(
        take=tuple(takes),
        total=draw(st.none() | st.integers(1, 12)) if shared else None,
        licences=draw(st.sampled_from([None, Licences(allow=("MIT", "GPL-3.0"))])),
        per_question=draw(st.sampled_from([None, 1, 2])),
        think_share=draw(st.sampled_from([None, None, 0.25, 0.5])),
        seed=draw(st.integers(0, 2)),
    )


def check(mix, summary: dict, query: Mix, stores: dict[str, Store]) -> None:
    """Everything that must hold of any mix."""
    facts = {row["id"]: row for one in stores.values() for row in one.facts().to_pylist()}
    ledger = mix.ledger
    for at, take in enumerate(query.take):
        of = [row for row in ledger if row.take == at]
        assert len(of) == len({row.id for row in of}) == len(stores[take.source])
        kept = [facts[row.id] for row in of if row.decision == "kept"]
        assert kept and all(bool(row.reason) == (row.decision == "dropped") for row in of)
        assert all(row["split"] == take.split for row in kept)
        assert not take.tasks or {row["task"] for row in kept} <= set(take.tasks)
        assert not take.domains or {row["domain"] for row in kept} <= set(take.domains)
        assert take.count is None or len(kept) == take.count
    kept = [row for row in ledger if row.decision == "kept"]
    assert [row.id for row in mix.rows] == [row.id for row in kept]
    assert len({(row.id, row.mode) for row in mix.rows}) == len(mix.rows)
    shown = [
        sum(row.repeat for row, of in zip(mix.rows, kept, strict=True) if of.take == at)
        for at in range(len(query.take))
    ]
    total = sum(shown)
    if query.total:
        assert total == query.total
    for take, seen in zip(query.take, shown, strict=True):
        assert take.share is None or abs(seen - take.share * total) <= 1
    for row, of in zip(mix.rows, kept, strict=True):
        assert 1 <= row.repeat <= -(-query.take[of.take].most // 1)
    if query.licences:
        assert {facts[row.id]["licence"] for row in mix.rows} <= {"MIT", "GPL-3.0 AND MIT"}
    if query.per_question:
        asked = Counter(stores_question(stores, row.id) for row in mix.rows)
        assert max(asked.values()) <= query.per_question
    if query.think_share is not None:
        most = max(row.repeat for row in mix.rows)
        assert abs(summary["think_share"] - query.think_share) * total <= most / 2 + 0.5 + 1e-3
    assert summary["seen_per_epoch"] == total and summary["records"] == len(mix.rows)
    assert sum(summary["left_out"].values()) + len(mix.rows) == len(ledger)


def stores_question(stores: dict[str, Store], id: str) -> str:
    for one in stores.values():
        try:
            return one.get(id).messages[0].text
        except KeyError:
            continue
    raise AssertionError(id)


@given(rows(), rows(), queries(), st.integers(0, 5))
@settings(deadline=None, max_examples=80)
def test_what_is_asked_holds_and_the_ledger_adds_up(left, right, query, seed) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        stores = {"x": build(folder / "x", left), "y": build(folder / "y", right)}
        try:
            mix, summary = run(folder / "mix", query, seed, **stores)
        except UserError as error:
            assert "data.mixes.m" in str(error)
            assert not (folder / "mix" / "mix.parquet").exists()
            return
        check(mix, summary, query, stores)


@given(rows(), queries(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=20)
def test_how_records_are_dealt_to_shards_changes_nothing(made, query, rng) -> None:
    at = list(range(len(made)))
    rng.shuffle(at)
    cut = rng.randint(1, len(at) - 1)
    told = []
    with TemporaryDirectory() as name:
        for turn, shards in enumerate(([sorted(at)], [at[:cut], at[cut:]])):
            folder = Path(name) / str(turn)
            stores = {one: build(folder / one, made, shards) for one in ("x", "y")}
            try:
                run(folder / "mix", query, **stores)
            except UserError as error:
                told.append(str(error))
                continue
            files = ("mix.parquet", "ledger.parquet", "summary.json")
            told.append([(folder / "mix" / file).read_bytes() for file in files])
    assert told[0] == told[1]


@given(rows(), st.integers(1, 10), st.integers(0, 5), st.sampled_from([None, 0.5]))
@settings(deadline=None, max_examples=30)
def test_a_larger_mix_holds_the_smaller(made, count, seed, think) -> None:
    """By count and by total, with caps, and where the share of thinking decides who is taken."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        opened = build(folder / "x", made)
        for kind in ("count", "total"):
            ids = []
            for size in (count, count + 1):
                one = {"count": size} if kind == "count" else {"share": 1.0}
                query = Mix(
                    take=(Take(source="x", **one),), per_question=2, think_share=think,
                    total=size if kind == "total" else None,
                )  # fmt: skip
                try:
                    mix, _ = run(folder / f"{kind}{size}", query, seed, x=opened)
                except UserError:
                    break
                ids.append({row.id for row in mix.rows})
            assert len(ids) < 2 or ids[0] < ids[1]


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Store]:
    """40 general rows of which 4 think, 30 sums that think, 20 screens."""
    general = [Row(f"g{n}", reasoning=THINK if n < 4 else None) for n in range(40)]
    sums = [Row(f"s{n}", task="sum", reasoning=THINK) for n in range(30)]
    screens = [Row(f"c{n}", task="click") for n in range(20)]
    made = {"general": general, "sums": sums, "screens": screens}
    return {name: build(tmp_path / name, rows) for name, rows in made.items()}


def test_shares_without_a_total_take_the_largest(tmp_path: Path, sets: dict[str, Store]) -> None:
    takes = [
        Take(source=n, share=s) for n, s in (("general", 0.5), ("sums", 0.3), ("screens", 0.2))
    ]
    mix, summary = run(tmp_path / "m", Mix(take=tuple(takes)), **sets)
    assert summary["by_source"] == {"general": 40, "sums": 24, "screens": 16}
    assert summary["left_out"] == {"beyond share": 10}
    assert summary["shares"] == {"0 general": 0.5, "1 sums": 0.3, "2 screens": 0.2}
    takes[2] = Take(source="screens", share=0.2, max_repeat=1.5)
    _, bound = run(tmp_path / "n", Mix(take=tuple(takes), total=80), **sets)
    assert bound["by_source"] == {"general": 40, "sums": 24, "screens": 16}


def test_repeats_of_a_share_are_seeded_and_even(tmp_path: Path, sets: dict[str, Store]) -> None:
    takes = (Take(source="general", share=0.5), Take(source="screens", share=0.5, max_repeat=2))
    mix, summary = run(tmp_path / "m", Mix(take=takes, total=70), **sets)
    repeats = Counter(row.repeat for row in mix.rows[35:])
    assert repeats == {2: 15, 1: 5} and summary["seen_per_epoch"] == 70
    half = Mix(take=(Take(source="screens", repeat=2.5),))
    told = [run(tmp_path / f"h{seed}", half, seed, **sets)[0].rows for seed in (0, 1)]
    assert [Counter(row.repeat for row in one) for one in told] == [{2: 10, 3: 10}] * 2
    assert told[0] != told[1], "which ones are seen once more is the seed's"


def test_records_that_think_are_taken_where_the_share_needs_them(
    tmp_path: Path, sets: dict[str, Store]
) -> None:
    """Ten of 40 with 4 thinkers: chance gives one or so, half a share of 0.4 all four."""
    query = Mix(take=(Take(source="general", count=10),), think_share=0.4)
    mix, summary = run(tmp_path / "m", query, **sets)
    assert (summary["think_share"], summary["by_mode"]) == (0.4, {"think": 4, "nothink": 6})
    with pytest.raises(UserError, match=r"think_share=0\.5 .* 0\.0000 to 0\.4000; set 0\.4000"):
        run(tmp_path / "n", query.model_copy(update={"think_share": 0.5}), **sets)
    free = query.model_copy(update={"think_share": None})
    by_chance = {row.id for row in run(tmp_path / "o", free, **sets)[0].rows}
    assert len(by_chance - {row.id for row in mix.rows}) <= 4, "no more are swapped than needed"


def test_a_question_s_cap_holds_over_ingredients(tmp_path: Path) -> None:
    """`per_question` over two ingredients that ask the same; what the first took counts."""
    opened = build(
        tmp_path / "x", [Row("same", task=task, gold=str(n)) for n in range(6) for task in "ab"]
    )
    takes = (Take(source="x", tasks=("a",), count=2), Take(source="x", tasks=("b",)))
    mix, summary = run(tmp_path / "m", Mix(take=takes, per_question=3), x=opened)
    assert summary["by_task"] == {"x/a": 2, "x/b": 1}
    assert summary["left_out"]["beyond 3 of a question"] == 5
    with pytest.raises(UserError, match=r"take\.1\.count=2 is more than the 1 records"):
        counted = (takes[0], takes[1].model_copy(update={"count": 2}))
        run(tmp_path / "n", Mix(take=counted, per_question=3), x=opened)


def picture(colour: str, kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(target, kind)
    return target.getvalue()


def test_a_picture_s_cap_is_on_its_pixels(tmp_path: Path) -> None:
    """Two encodings of red are one picture; a record that shows two counts for both."""
    writer = Writer(tmp_path / "x")
    red, again, blue = (
        writer.image(picture(*one)) for one in (("red", "PNG"), ("red", "BMP"), ("blue", "PNG"))
    )
    shown = [(red,)] * 3 + [(again,)] * 3 + [(blue,)] * 2 + [(blue, again)] * 2
    records = [
        make_record(
            messages=(user(*range(len(refs)), f"q{n}"), assistant("a")), images=refs, answer=None,
            task="t", domain="d", source=Source("x", "train", n, "MIT"),
        )
        for n, refs in enumerate(shown)
    ]  # fmt: skip
    writer.shard("s", records)
    writer.finish()
    opened = store.open(tmp_path / "x")
    for most in (1, 2, 3):
        query = Mix(take=(Take(source="x", count=1), Take(source="x")), per_image=most)
        try:
            mix, summary = run(tmp_path / str(most), query, x=opened)
        except UserError as error:  # with one of each the second may find nothing
            assert most == 1 and "matches no record" in str(error)
            continue
        pixels = Counter(
            opened.pixel_hash(one.sha256) for row in mix.rows for one in opened.get(row.id).images
        )
        assert max(pixels.values()) <= most
        assert summary["left_out"][f"beyond {most} of a picture"] > 0
        # Nothing that would fit is left out: every other record shows a picture that is full.
        taken = {row.id for row in mix.rows}
        for record in records:
            full = {pixel for pixel, count in pixels.items() if count == most}
            hashes = {opened.pixel_hash(one.sha256) for one in record.images}
            assert record.id in taken or hashes & full


def test_licences(tmp_path: Path) -> None:
    names = ["MIT", "CC0-1.0", "MIT AND CC0-1.0", "MIT OR GPL-3.0", "", "mit", "CC-BY-NC-4.0"]
    opened = build(tmp_path / "x", [Row(f"q{n}", licence=one) for n, one in enumerate(names)])

    def kept(**licences) -> set[str]:
        query = Mix(take=(Take(source="x"),), licences=Licences(**licences))
        mix, _ = run(tmp_path / str(licences), query, x=opened)
        facts = opened.facts().to_pylist()
        told = {row["id"]: row["licence"] for row in facts}
        return {told[row.id] for row in mix.rows}

    assert kept(allow=("MIT",)) == {"MIT"}
    assert kept(allow=("MIT", "CC0-1.0")) == {"MIT", "CC0-1.0", "MIT AND CC0-1.0"}
    assert kept(allow=("MIT OR GPL-3.0",)) == {"MIT OR GPL-3.0"}
    assert kept(deny=("GPL-3.0", "CC-BY-NC-4.0")) == set(names) - {"MIT OR GPL-3.0", "CC-BY-NC-4.0"}
    assert kept(allow=("MIT", "CC0-1.0"), deny=("CC0-1.0",)) == {"MIT"}


def test_labels_decide(tmp_path: Path) -> None:
    opened = build(tmp_path / "x", [Row(f"q{n}") for n in range(8)])
    classes = ["good", "bad", "good", None, "fair", "good", "good", "bad"]
    label(
        opened, "triage@1", **{"class": classes}, score=[0.1, 0.9, 0.5, 0.7, 0.2, None, 0.8, 1.0],
        flags=[["a"], [], ["a", "b"], None, ["b"], ["a"], [], ["c"]],
    )  # fmt: skip

    def kept(**where) -> list[int]:
        query = Mix(take=(Take(source="x", where=(Where(label="triage@1", **where),)),))
        name = f"{len(list(tmp_path.iterdir()))}"
        mix, summary = run(tmp_path / name, query, x=opened)
        assert sum(summary["left_out"].values()) + summary["records"] == 8
        return sorted(int(opened.get(row.id).messages[0].text[1:]) for row in mix.rows)

    assert kept(column="class", is_="good") == [0, 2, 5, 6]
    assert kept(column="class", is_=("good", "fair")) == [0, 2, 4, 5, 6]
    assert kept(column="class", is_not="good") == [1, 3, 4, 7]
    assert kept(column="score", at_least=0.5) == [1, 2, 3, 6, 7]
    assert kept(column="score", at_least=0.2, at_most=0.7) == [2, 3, 4]
    assert kept(column="flags", is_="a") == [0, 2, 5]
    assert kept(column="flags", is_not=("a", "c")) == [1, 3, 4, 6]
    with pytest.raises(UserError, match=r"'clas' is no column of it; did you mean 'class'"):
        kept(column="clas", is_="good")
    with pytest.raises(UserError, match="is asked of a column of"):
        kept(column="class", at_least=1.0)


def test_what_a_label_does_not_speak_of(tmp_path: Path) -> None:
    opened = build(tmp_path / "x", [Row(f"q{n}") for n in range(4)])
    other = build(tmp_path / "y", [Row("else")])
    whole = opened.facts()["id"].to_pylist()
    half = pa.table({"id": whole[:2], "verdict": ["none", "full"]})
    write_label(tmp_path / "x", "contamination", 1, half)
    where = Where(label="contamination@1", column="verdict", is_not=("full",))
    takes = (Take(source="x"),)
    _, summary = run(tmp_path / "a", Mix(take=takes, where=(where,)), x=opened)
    assert summary["records"] == 1 and summary["left_out"] == {
        "no label contamination@1": 2, "label contamination@1: verdict is full": 1,
    }  # fmt: skip
    kept = where.model_copy(update={"unlabelled": "keep"})
    _, summary = run(tmp_path / "b", Mix(take=takes, where=(kept,)), x=opened)
    assert summary["records"] == 3
    both = (Take(source="x"), Take(source="y"))
    with pytest.raises(UserError, match=r"contamination@1.* is not in this store \(y\)"):
        run(tmp_path / "c", Mix(take=both, where=(where,)), x=opened, y=other)
    _, summary = run(tmp_path / "d", Mix(take=both, where=(kept,)), x=opened, y=other)
    assert summary["by_source"] == {"x": 3, "y": 1}
    score = where.model_copy(update={"column": "score", "is_not": None, "at_least": 0.5})
    write_label(tmp_path / "x", "quality", 1, pa.table({"id": whole[:2], "score": [0.4, 0.6]}))
    kept = score.model_copy(update={"label": "quality@1", "unlabelled": "keep"})
    _, summary = run(tmp_path / "e", Mix(take=both, where=(kept,)), x=opened, y=other)
    assert summary["by_source"] == {"x": 3, "y": 1}, "numbers are not asked of no label"


def test_one_of_each_cluster(tmp_path: Path) -> None:
    """Over ingredients; the least id unless a column says otherwise; null is nobody's duplicate."""
    opened = build(tmp_path / "x", [Row(f"q{n}", task="ab"[n % 2]) for n in range(8)])
    label(
        opened, "duplicates@1", vqa_cluster=["c1", "c1", "c1", None, None, "c2", "c2", "c3"],
        quality=[1, 2, 3, 1, 1, 1, 9, 1],
    )  # fmt: skip
    ids = opened.facts().sort_by("row")["id"].to_pylist()

    def kept(takes: tuple[Take, ...], **fields) -> list[int]:
        where = Where(label="duplicates@1", column="vqa_cluster", keep="one", **fields)
        name = str(len(list(tmp_path.iterdir())))
        mix, _ = run(tmp_path / name, Mix(take=takes, where=(where,)), x=opened)
        return sorted(ids.index(row.id) for row in mix.rows)

    least = [min((0, 1, 2), key=ids.__getitem__), min((5, 6), key=ids.__getitem__)]
    whole = (Take(source="x"),)
    assert kept(whole) == sorted([*least, 3, 4, 7])
    assert kept(whole, best="quality") == [2, 3, 4, 6, 7]
    split = (Take(source="x", tasks=("a",)), Take(source="x", tasks=("b",)))
    assert kept(split, best="quality") == [2, 3, 4, 6, 7], "b's 1 and 5 are duplicates of a's"
    twice = (Take(source="x"), Take(source="x", mode="nothink"))
    with pytest.raises(UserError, match=r"take\.1='x' matches no record"):
        kept(twice)


def test_two_sources_that_hold_one_record(tmp_path: Path) -> None:
    first = build(tmp_path / "one" / "x", [Row("q")])
    second = build(tmp_path / "two" / "x", [Row("q")])
    takes = (Take(source="a"), Take(source="b"))
    with pytest.raises(UserError, match="is taken twice in one mode"):
        run(tmp_path / "m", Mix(take=takes), a=first, b=second)
