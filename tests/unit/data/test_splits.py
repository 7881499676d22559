"""Splits are a function of seed and group; overlaps are found on pixels, question and gold."""

from io import BytesIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pellucid import store
from pellucid.data.splits import Groups, deal, overlaps
from pellucid.recipe.rows import SplitShares
from pellucid.schema.record import Answer, Source, assistant, make_record, user
from pellucid.store import Writer


def test_shares_are_met_and_nested() -> None:
    shares = SplitShares(validation=0.2, test=0.1)
    dealt = [deal(3, f"g{n}", shares) for n in range(4000)]
    assert abs(dealt.count("test") / 4000 - 0.1) < 0.02
    assert abs(dealt.count("validation") / 4000 - 0.2) < 0.02
    larger = SplitShares(validation=0.2, test=0.3)
    grown = [deal(3, f"g{n}", larger) for n in range(4000)]
    assert all(b == "test" for a, b in zip(dealt, grown, strict=True) if a == "test")


def test_another_seed_deals_anew() -> None:
    shares = SplitShares(validation=0, test=0.5)
    first, second = ([deal(seed, f"g{n}", shares) for n in range(200)] for seed in (1, 2))
    assert 60 < sum(a != b for a, b in zip(first, second, strict=True)) < 140


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_groups_are_connected_components_in_any_order(links: list[list[str]], rng) -> None:
    reach = {name: {name} for names in links for name in names}
    for _ in range(8):
        for names in links:
            union = set().union(*(reach[name] for name in names))
            for name in names:
                reach[name] = union
    shuffled = rng.sample(links, len(links))
    groups = Groups()
    for names in shuffled:
        groups.join(names)
    assert {name: groups.root(name) for name in reach} == {
        name: min(found) for name, found in reach.items()
    }


def png(shade: int, level: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(out, "PNG", compress_level=level)
    return out.getvalue()


def one(
    folder: Path, name: str, split: str, shade: int, question: str, gold: str, level: int
) -> store.Store:
    writer = Writer(folder / name)
    ref = writer.image(png(shade, level))
    source = Source(name, split, 0, "MIT")  # type: ignore[arg-type]
    record = make_record(
        messages=(user(0, question), assistant(gold)),
        images=(ref,),
        answer=Answer("text", gold),
        task="t",
        domain="d",
        source=source,
    )
    writer.shard("s", [record])
    writer.finish()
    return store.open(folder / name)


def test_an_overlap_is_found_across_stores_and_files(tmp_path: Path) -> None:
    test = one(tmp_path, "a", "test", 9, "What is it?", "a cup", 0)
    same = one(tmp_path, "b", "train", 9, "what  IS it?", "A cup", 9)
    assert test.records()[0].images != same.records()[0].images, "other bytes, equal pixels"
    (found,) = overlaps([test, same])
    assert found.ids == (("test", test.records()[0].id), ("train", same.records()[0].id))
    others = [
        one(tmp_path, "c", "train", 10, "What is it?", "a cup", 0),
        one(tmp_path, "d", "train", 9, "What is that?", "a cup", 0),
        one(tmp_path, "e", "train", 9, "What is it?", "a mug", 0),
        one(tmp_path, "f", "test", 9, "What is it?", "a cup", 0),
    ]
    assert overlaps([test, *others]) == []
