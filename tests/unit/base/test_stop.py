"""Ctrl-C between steps: the first press waits for the step, the second does not."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from pellucid.base.stop import between_steps


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """As in a terminal; a program in the background of a script is born deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_press_is_noted_and_acts_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    went_on = False
    with pytest.raises(KeyboardInterrupt), between_steps() as stop:
        assert not stop.asked
        press()
        went_on = stop.asked
    assert went_on and signal.getsignal(signal.SIGINT) == before
    assert "after this step; Ctrl-C again" in capfd.readouterr().err


def test_the_second_press_acts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    presses = 0
    with pytest.raises(KeyboardInterrupt), between_steps():
        while presses < 3:
            presses += 1
            press()
    assert presses == 2 and signal.getsignal(signal.SIGINT) == before


def test_an_error_of_the_work_is_told_before_the_press() -> None:
    with pytest.raises(ZeroDivisionError), between_steps():
        press()
        _ = 1 // 0


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with between_steps() as stop:
        press()
    assert not stop.asked


def test_nothing_is_noted_outside_of_the_main_thread() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with between_steps() as stop:
            seen.append((stop.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
