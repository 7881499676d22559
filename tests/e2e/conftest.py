"""One unbroken smoke run that several tests look at."""

from pathlib import Path

import pytest
from tests.e2e.command import pellucid


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that holds a finished, unbroken run of the smoke recipe."""
    home = tmp_path_factory.mktemp("smoke") / "runs"
    done = pellucid("run", "smoke", "--home", home)
    assert done.returncode == 0, done.stderr[-3000:]
    return home
