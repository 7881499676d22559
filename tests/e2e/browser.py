"""A headless Chromium for tests, over the DevTools protocol; nothing is installed for it.

The browser is started with `--remote-debugging-pipe`: JSON messages, each ended by a zero byte, on
file descriptors 3 and 4. So no socket, no driver and no package is needed. Only what the tests ask
for is here: pages, real key presses, scripts, screenshots, and what the page requested and logged.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (found := shutil.which(name))
    ),
    None,
)
"""The browser of this machine; None when it has none."""

_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
    "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars",
)  # fmt: skip
_SHIFT = 8
_KEYS = {
    " ": ("Space", " ", 32), "Enter": ("Enter", "\r", 13), "Escape": ("Escape", "", 27),
    "ArrowLeft": ("ArrowLeft", "", 37), "ArrowRight": ("ArrowRight", "", 39),
    "Tab": ("Tab", "", 9),
}  # fmt: skip


class Browser:
    """One browser with one page."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 800) -> None:
        assert CHROMIUM, "there is no Chromium"
        self.requests: list[str] = []
        """Addresses that the page asked for."""
        self.logged: list[str] = []
        """Errors and warnings on the console, exceptions, failed loads."""
        self._last, self._buffer, self._answers = 0, b"", dict[int, dict[str, Any]]()
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self._read, self._write = ours_in, ours_out
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        # The browser wants the pipe on 3 and 4: a shell puts it there.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        targets = self._call("Target.getTargets", session=None)["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        told = {"targetId": page, "flatten": True}
        self._session = self._call("Target.attachToTarget", told, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def open(self, url: str) -> None:
        """Go to an address and wait until the page is loaded."""
        self._call("Page.navigate", {"url": url})
        self.until("document.readyState === 'complete'")

    def resize(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        """Give the page another size, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self._call("Emulation.setDeviceMetricsOverride", size)

    def dark(self, on: bool) -> None:
        """Ask for dark colours, as a person's system would."""
        wanted = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self._call("Emulation.setEmulatedMedia", {"features": [wanted]})

    def press(self, key: str, shift: bool = False) -> None:
        """Press and release a key as a keyboard does: a digit, a letter or a name in `_KEYS`."""
        if key in _KEYS:
            code, text, number = _KEYS[key]
        elif key.isdigit():
            code, text, number = f"Digit{key}", key, ord(key)
        else:
            code, text, number = f"Key{key.upper()}", key, ord(key.upper())
        told: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        if shift:
            # On most keyboards shift and a digit is another character; the page must not mind.
            told |= {"modifiers": _SHIFT} | (
                {"key": "!@#$%"[int(key) - 1]} if key in "12345" else {}
            )
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self._call("Input.dispatchKeyEvent", {**told, **down})
        self._call("Input.dispatchKeyEvent", {**told, "type": "keyUp"})

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        told = {"expression": script, "returnByValue": True, "awaitPromise": True}
        found = self._call("Runtime.evaluate", told)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def until(self, script: str, seconds: float = 20.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}; {self.logged}"
            time.sleep(0.02)

    def screenshot(self, path: Path) -> None:
        """Write what the page looks like, as a PNG."""
        data = self._call("Page.captureScreenshot", {"format": "png"})["data"]
        path.write_bytes(base64.b64decode(data))

    def _call(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = ""
    ) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while self._last not in self._answers:
            self._pump()
        answer = self._answers.pop(self._last)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _pump(self) -> None:
        ready, _, _ = select.select([self._read], [], [], 30)
        assert ready, "the browser does not answer"
        data = os.read(self._read, 1 << 20)
        assert data, "the browser has gone"
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if "id" in message:
            self._answers[message["id"]] = message
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            self.logged.append(f"failed: {params['errorText']}")
        elif method == "Runtime.exceptionThrown":
            self.logged.append(str(params["exceptionDetails"].get("exception", params)))
        elif method == "Runtime.consoleAPICalled":
            self.logged.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.logged.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
