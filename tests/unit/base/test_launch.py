"""Which process this is: torchrun is believed, others are not."""

import pytest

from pellucid.base.launch import Place, place

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RUN_ID")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, Place(0, 1, 0)),
        ({"RANK": "1"}, Place(0, 1, 0)),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "x"}, Place(0, 1, 0)),
        (
            {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "a"},
            Place(3, 4, 1),
        ),
    ],
)
def test_only_torchrun_is_believed(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], expected: Place
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert place() == expected
