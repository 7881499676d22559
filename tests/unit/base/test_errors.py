"""Errors say field, value, rule and fix, and disk trouble becomes one of them."""

import errno

import pytest

from pellucid.base.errors import DiskError, Problem, UserError, boundary
from pellucid.base.lookup import pick


def test_a_user_error_lists_every_problem() -> None:
    error = UserError([Problem("a", 1, "is odd", "add one"), Problem("b", "x", "is x", "drop it")])
    assert str(error) == "a=1 is odd; add one\nb='x' is x; drop it"


def test_long_values_are_cut_for_the_screen() -> None:
    assert len(str(Problem("a", "y" * 5000, "is long", "shorten it"))) < 200


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EFBIG, "file-size limit"), (errno.EACCES, "denied")],
)
def test_boundary_turns_disk_trouble_into_one_line(code: int, words: str) -> None:
    with pytest.raises(DiskError, match=words), boundary("writing"):
        raise OSError(code, "no", "file.bin")


def test_boundary_lets_bugs_through() -> None:
    with pytest.raises(OSError, match="strange"), boundary("writing"):
        raise OSError(errno.EPROTO, "strange")


def test_pick_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'charts'"):
        pick({"charts": 1, "shapes": 2}, "chart", "scene")
