"""Lines of progress: no rate from a moment, and a share where nobody counts."""

from io import StringIO

from pellucid.base import progress
from pellucid.base.progress import Progress


def test_a_moment_has_no_rate() -> None:
    out = StringIO()
    shown = Progress("work", 3, stream=out)
    for done in range(4):
        shown.at(done, "rows")
    assert out.getvalue() == "  work 3/3 rows\n"


def test_a_rate_needs_a_second(monkeypatch) -> None:
    now = [10.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    out = StringIO()
    shown, share = Progress("work", 100, stream=out), Progress("part", 1000, 5, out, percent=True)
    for done, at in ((0, 10.0), (40, 30.0), (100, 60.0)):
        now[0] = at
        shown.at(done)
        share.at(10 * done, "7 rows checked")
    assert out.getvalue().splitlines() == [
        "  work 40/100 2.0/s, 30s left",
        "  part 40%, 30s left 7 rows checked",
        "  work 100/100 2.0/s",
        "  part 100% 7 rows checked",
    ]
