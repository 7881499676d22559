"""Ids kept on the disk: found where a list finds them, and put in order as texts."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data.mix.disk import Ids
from pellucid.store import spill

ID = st.integers(0, 40).map(lambda number: f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=st.lists(ID, unique=True, max_size=30),
    given_=st.lists(st.lists(ID | st.sampled_from(["", "no id"]), max_size=20), max_size=4),
    cut=st.integers(0, 30),
)
def test_places_are_those_in_a_list(
    monkeypatch: pytest.MonkeyPatch, own: list[str], given_: list[list[str]], cut: int
) -> None:
    monkeypatch.setattr(spill, "_BUFFER_ROWS", 7)
    monkeypatch.setattr(spill, "_HELD_BYTES", 40)
    monkeypatch.setattr(spill, "_BLOCK_ROWS", 8)
    ids = Ids()
    for piece in (own[:cut], own[cut:]):
        ids.add(pa.array(piece, pa.string()))
    found = ids.places(pa.array(piece, pa.string()) for piece in given_)
    flat = [one for piece in given_ for one in piece]
    assert found.tolist() == [own.index(one) if one in own else -1 for one in flat]
    assert ids.ranks().tolist() == [sorted(own).index(one) for one in own]
