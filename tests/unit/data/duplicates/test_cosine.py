"""Pictures by a user's vectors: pairs worked by hand, blocks, copies that hashes miss, mistakes."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.planted import COPIES, Row, almost, build, drawn, png
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pellucid import store, testing
from pellucid.base.errors import UserError
from pellucid.data.contamination.build import find_contamination
from pellucid.data.duplicates.build import find_duplicates
from pellucid.data.duplicates.cosine import Cosine, cosine_pairs, nearest
from pellucid.data.duplicates.images import read_pictures, rules
from pellucid.data.duplicates.journal import Journal
from pellucid.data.ops.image_embedding import Refused, checked, image_embedding
from pellucid.data.ops.run import run_operator

OWN = '''
"""Colours, wherever they stand: the same for a picture that was turned or mirrored."""
import numpy as np

CALLS = []


def vectors(images):
    CALLS.append(len(images))
    assert len(images) <= 16 and all(one.mode == "RGB" for one in images)
    pixels = [np.asarray(one).reshape(-1, 3) for one in images]
    return [np.histogramdd(one, 4, [(0, 256)] * 3)[0].ravel() for one in pixels]


def flat(images):
    return [1.0 for _ in images]


def fewer(images):
    return [[1.0]] * (len(images) - 1)


def ragged(images):
    return [[1.0] * (1 + at) for at, _ in enumerate(images)]


def nan(images):
    return [[float("nan")] for _ in images]


def zeros(images):
    return np.zeros((len(images), 3))


def words(images):
    return [["a"] for _ in images]


def fails(images):
    raise RuntimeError("no model here")


def by_width(images):
    return [[1.0] * (2 + (images[0].width > 400)) for _ in images]


def beside(images):
    return [[1.0, len(images)]] * len(images)


def two(images, more):
    return images
'''


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "my.py").write_text(OWN)
    return str(tmp_path / "my.py")


def paired(rows: np.ndarray, alike: float, most: int = 8, block: int = 1024) -> dict[Any, int]:
    """The pairs and their grades."""
    one, other, grades = nearest(
        lambda first, end: rows[first:end], np.arange(len(rows)), alike, most, block
    )
    return dict(zip(zip(one.tolist(), other.tolist(), strict=True), grades.tolist(), strict=True))


def test_cosines_by_hand() -> None:
    """3-4-5: (1, 0) and (3, 4) have 0.6, (3, 4) and (4, 3) have 0.96, (1, 0) and (4, 3) 0.8."""
    rows = checked([[2, 0], [30, 40], [4, 3], [-1, 0]], "abcd").astype(np.float64)
    both = {(0, 1): 600000, (0, 2): 800000, (1, 2): 960000}
    every = both | {(b, a): grade for (a, b), grade in both.items()}
    assert paired(rows, 0.6) == every
    assert set(paired(rows, 0.600001)) == {(0, 2), (2, 0), (1, 2), (2, 1)}
    assert set(paired(rows, 0.96)) == {(1, 2), (2, 1)} and paired(rows, 0.97) == {}
    assert set(paired(rows, 0.5, most=1)) == {(0, 2), (1, 2), (2, 1)}, "each asks for its nearest"
    assert paired(rows[:1], 0.0) == {} and paired(rows[:0], 0.0) == {}


def test_vectors_of_any_length_have_length_one_and_exact_sums() -> None:
    made = checked(np.array([[3e300, 4e300], [3e-300, 4e-300], [0, -7]]), "abc")
    assert made.dtype == np.float32
    assert made[2].tolist() == [0.0, -1.0] and (made[0] == made[1]).all()
    assert made[0, 0] == round(0.6 * 2**24) / 2**24 and made[0, 1] == round(0.8 * 2**24) / 2**24


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 14), st.integers(1, 5)),
        elements=st.integers(-3, 3).map(float) | st.floats(-1, 1, width=32),
    ),
    st.integers(1, 15),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_blocks_equal_one_product(rows: np.ndarray, block: int, most: int, alike: float) -> None:
    """And both equal sorting all cosines, which are summed in another way."""
    rows[np.abs(rows).max(axis=1) == 0, 0] = 1.0
    unit = checked(rows, [""] * len(rows)).astype(np.float64)
    assert (unit * 2**24 % 1 == 0).all(), "or sums would depend on their order"
    wanted = {}
    for a in range(len(unit)):
        grades = [
            (-round(10**6 * math.fsum((unit[a] * unit[b]).tolist())), b)
            for b in range(len(unit))
            if b != a
        ]
        near = [(grade, b) for grade, b in sorted(grades) if -grade >= round(10**6 * alike)]
        wanted.update({(a, b): -grade for grade, b in near[:most]})
    assert paired(unit, alike, most, block) == wanted == paired(unit, alike, most)


def shown() -> list[bytes]:
    """Two photos with what was made of the first, and notices of one template."""
    photo, notice = drawn("photos", 1), drawn("notices", 1)
    turn = Image.Transpose
    turned = notice.transpose(turn.ROTATE_90)
    return [
        png(photo),
        png(photo.transpose(turn.ROTATE_90)),
        COPIES["JPEG 40-95"][1](photo.transpose(turn.FLIP_LEFT_RIGHT), random.Random(1)),
        png(photo.transpose(turn.TRANSVERSE).resize((270, 360))),
        png(drawn("photos", 2)),
        png(notice),
        png(turned),
        png(almost("notices", 1)),
        png(drawn("notices", 2)),
        png(almost("notices", 1).transpose(turn.ROTATE_180)),
    ]


def joined(folder: Path, **named: Any) -> list[int]:
    """For each row the first row with its pictures."""
    find_duplicates([folder], **named)
    table = store.read_label(folder, "duplicates", 2).to_pylist()
    own = {row["id"]: row["image_cluster"] for row in table}
    rows = sorted(store.open(folder).records(), key=lambda one: one.source.row)
    names = [own[one.id] for one in rows]
    return [names.index(name) for name in names]


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "labels/duplicates@2/manifest.json").read_text("utf-8"))


@pytest.mark.parametrize("crops", [True, False])
def test_turned_and_mirrored_copies_are_found_and_pages_stay_two(
    own: str, tmp_path: Path, crops: bool
) -> None:
    """At 0.5 all notices are candidates of one another, turned ones too; a digit parts them."""
    build(tmp_path / "a", [Row((one,), "What is shown?", "-") for one in shown()], shard_rows=4)
    assert joined(tmp_path / "a", crops=crops) == list(range(10)), "without vectors none is found"
    plain = manifest(tmp_path / "a")
    cosine = Cosine(image_embedding(f"{own}:vectors"), 0.5)
    found = [0, 0, 0, 0, 4, 5, 5, 7, 8, 7]
    assert joined(tmp_path / "a", crops=crops, cosine=cosine) == found
    assert manifest(tmp_path / "a")["params"]["image_embedding"] == cosine.params
    assert joined(tmp_path / "a", crops=crops) == list(range(10))
    assert manifest(tmp_path / "a") == plain, "as if vectors had never been"


def test_equal_vectors_make_no_pictures_one(own: str, tmp_path: Path) -> None:
    """Every pair of different pictures has a cosine of 1 here."""
    (tmp_path / "all.py").write_text("def one(images):\n    return [[1.0]] * len(images)\n")
    kinds = ("notices", "charts", "windows")
    pictures = [drawn(kind, seed) for kind in kinds for seed in range(3)]
    rows = [Row((png(one),), "What is shown?", "-") for one in pictures]
    build(tmp_path / "a", rows)
    cosine = Cosine(image_embedding(f"{tmp_path}/all.py:one"), 1.0)
    assert joined(tmp_path / "a", cosine=cosine, crops=False) == list(range(9))


@pytest.mark.parametrize("pictures", [0, 1])
def test_of_no_two_pictures_there_is_no_pair(own: str, tmp_path: Path, pictures: int) -> None:
    build(
        tmp_path / "a", [Row(tuple(shown()[:pictures]), "Who is Ann?", "Eve"), Row((), "Who?", "I")]
    )
    cosine = Cosine(image_embedding(f"{own}:vectors"), 0.0)
    found = find_duplicates([tmp_path / "a"], cosine=cosine)
    assert (found.images, found.image_clusters, found.looked_at) == (pictures, pictures, 0)


def test_the_pairs_do_not_depend_on_shards_or_stores(own: str, tmp_path: Path) -> None:
    rows = [Row((one,), "What is shown?", "-") for one in shown()]
    build(tmp_path / "a", rows)
    build(tmp_path / "b", rows[6:], shard_rows=1)
    build(tmp_path / "c", rows[:7], shard_rows=2)
    cosine = Cosine(image_embedding(f"{own}:vectors"), 0.9)
    found = []
    for folders in ([tmp_path / "a"], [tmp_path / "b", tmp_path / "c"]):
        for folder in folders:
            run_operator(folder, cosine.embedding)
        every = read_pictures(folders)
        pixels, at = np.unique(every.pixels, return_index=True)
        assert len(pixels) == 10
        found.append([one.tolist() for one in cosine_pairs(folders, every.sha256[at], cosine)])
    assert found[0] == found[1] and len(found[0][0]) > 10
    assert max(found[0][1]) == 1000 and min(found[0][1]) >= 900


def test_code_and_threshold_are_part_of_every_key(own: str, tmp_path: Path) -> None:
    """Of the labels, and of what was compared before a kill."""
    rows = [Row((one,), "What is shown?", "-") for one in shown()[:2]]
    build(tmp_path / "a", rows)
    hashes = [name for name, _ in sorted(zip(*read_pictures([tmp_path / "a"])[:2], strict=True),
                                         key=lambda one: one[1])]  # fmt: skip
    pair = np.array([b"".join(hashes)], "S32")
    keys, rule, turned = set(), [], np.array([True])
    for alike, code in ((0.9, OWN), (0.8, OWN), (0.8, OWN + "# changed\n")):
        Path(own).write_text(code)
        cosine = Cosine(image_embedding(f"{own}:vectors"), alike)
        rule.append(rules(True, cosine))
        for known in [rules(), *rule[:-1]]:
            Journal(tmp_path / "a", known).add(pair, turned, np.array([9.0]))
            (tmp_path / "a/labels/duplicates@2/manifest.json").unlink(missing_ok=True)
            assert joined(tmp_path / "a", cosine=cosine) == [0, 0], "another call's are not read"
        Journal(tmp_path / "a", rule[-1]).add(pair, turned, np.array([9.0]))
        (tmp_path / "a/labels/duplicates@2/manifest.json").unlink(missing_ok=True)
        assert joined(tmp_path / "a", cosine=cosine) == [0, 1], (
            "what this call compared is believed"
        )
        keys.add(manifest(tmp_path / "a")["key"])
    assert len(keys) == 3
    (tmp_path / "else").mkdir()
    (tmp_path / "else/mine.py").write_text(OWN + "# changed\n")
    again = Cosine(image_embedding(f"{tmp_path}/else/mine.py:vectors"), 0.8)
    assert again.params == cosine.params, "the file's place is part of nothing"


def test_what_a_killed_call_did_not_turn_is_compared_anew(own: str, tmp_path: Path) -> None:
    """Among other stores a pair may have had too many nearer neighbours to be turned.

    In a first call by hand: the same rules, the pair compared as it is, and a kill.
    """
    build(tmp_path / "a", [Row((one,), "What is shown?", "-") for one in shown()[:2]])
    cosine = Cosine(image_embedding(f"{own}:vectors"), 0.9)
    every = read_pictures([tmp_path / "a"])
    pair = np.array([b"".join(every.sha256[np.argsort(every.pixels)].tolist())], "S32")
    journal = Journal(tmp_path / "a", rules(True, cosine))
    journal.add(pair, np.array([False]), np.array([np.inf]))
    assert joined(tmp_path / "a", cosine=cosine) == [0, 0]
    stamp = (tmp_path / "a/labels/duplicates@2/manifest.json").stat().st_mtime_ns
    assert joined(tmp_path / "a", cosine=cosine) == [0, 0]
    assert (tmp_path / "a/labels/duplicates@2/manifest.json").stat().st_mtime_ns == stamp
    assert not list((tmp_path / "a/labels").glob(".*")), "the second call compared nothing"


def test_vectors_are_made_once(own: str, tmp_path: Path) -> None:
    build(tmp_path / "a", [Row((one,), "What is shown?", "-") for one in shown()], shard_rows=4)
    operator = image_embedding(f"{own}:vectors")
    run_operator(tmp_path / "a", operator)
    part = tmp_path / "a/labels/image_embedding@1/shard-000001.parquet"
    whole, stamp = part.read_bytes(), part.stat().st_mtime_ns
    joined(tmp_path / "a", cosine=Cosine(operator, 0.9))
    assert part.stat().st_mtime_ns == stamp
    part.unlink()
    run_operator(tmp_path / "a", operator, workers=2)
    assert part.read_bytes() == whole


def test_contamination_uses_it(own: str, tmp_path: Path) -> None:
    photo, copy, *_ = shown()
    build(tmp_path / "eval", [Row((photo,), "Who is here?", "Ann")], split="test")
    build(tmp_path / "train", [Row((copy,), "Who is here?", "Ann")])
    cosine = Cosine(image_embedding(f"{own}:vectors"), 0.9)
    keys = []
    for by, verdict in ((None, "text only"), (cosine, "full")):
        found = find_contamination([tmp_path / "train"], [tmp_path / "eval"], cosine=by)
        assert found.verdicts[verdict] == 1
        path = tmp_path / "train/labels/contamination@2/manifest.json"
        told = json.loads(path.read_text())
        assert told["params"].get("image_embedding") == (by.params if by else None)
        keys.append(told["key"])
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("flat", r"shape \(2,\) for 2 pictures, wanted a row each"),
        ("fewer", r"shape \(1, 1\) for 2 pictures"),
        ("ragged", "no array of numbers"),
        ("nan", "not finite for picture [0-9a-f]{64}"),
        ("zeros", "zeros, which has no direction, for picture [0-9a-f]{64}"),
        ("words", "an array of <U1"),
        ("fails", "raised RuntimeError: no model here"),
    ],
)
def test_what_it_does_wrong_is_a_user_error(
    own: str, tmp_path: Path, function: str, told: str
) -> None:
    build(tmp_path / "a", [Row((one,), "What?", "-") for one in shown()[:2]])
    with pytest.raises(UserError, match=f"--image-embedding=.*{told}.*; mend the function"):
        find_duplicates([tmp_path / "a"], cosine=Cosine(image_embedding(f"{own}:{function}"), 0.9))


def test_vectors_of_two_lengths_are_a_user_error(own: str, tmp_path: Path) -> None:
    """In two shards, where no batch shows it."""
    build(tmp_path / "a", [Row((one,), "What?", "-") for one in shown()[:2]], shard_rows=1)
    with pytest.raises(UserError, match="gave vectors of [23] and of [23] numbers"):
        find_duplicates([tmp_path / "a"], cosine=Cosine(image_embedding(f"{own}:by_width"), 0.9))


def test_the_first_wrong_picture_is_named() -> None:
    with pytest.raises(Refused, match="zeros, which has no direction, for picture c"):
        checked([[1, 0], [0, 2], [0, 0], [0, 0]], "abcd")
    with pytest.raises(Refused, match="not finite for picture b"):
        checked([[1, 0], [np.inf, 2]], "ab")


@pytest.mark.parametrize("where", ["my.py", "none.py:vectors", "{own}:vektors", "{own}:two"])
def test_what_is_not_there_is_a_user_error(own: str, where: str) -> None:
    with pytest.raises(UserError, match="--image-embedding"):
        image_embedding(where.format(own=own))


def test_the_contract_helper(own: str, tmp_path: Path) -> None:
    assert testing.check_image_embedding(f"{own}:vectors") == 64
    with pytest.raises(AssertionError, match="another vector alone than beside others"):
        testing.check_image_embedding(f"{own}:beside")
    with pytest.raises(AssertionError, match="of 2 and of 3 numbers"):
        testing.check_image_embedding(f"{own}:by_width")
    with pytest.raises(AssertionError, match=r"1x1 white: a vector of zeros"):
        testing.check_image_embedding(f"{own}:zeros")
    with pytest.raises(AssertionError, match="16 pictures: raised RuntimeError: no model here"):
        testing.check_image_embedding(f"{own}:fails")
    build(tmp_path / "a", [Row((one,), "What?", "-") for one in shown()[:3]])
    assert testing.check_image_embedding(f"{own}:vectors", store=tmp_path / "a") == 64


def test_a_file_that_changes_meanwhile_is_a_user_error(own: str, tmp_path: Path) -> None:
    build(tmp_path / "a", [Row((shown()[0],), "What?", "-")])
    operator = image_embedding(f"{own}:vectors")
    Path(own).write_text(OWN + "# changed\n")
    with pytest.raises(UserError, match="was changed while its vectors were made"):
        run_operator(tmp_path / "a", operator)
