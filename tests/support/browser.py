"""A headless browser over the DevTools protocol, through pipes: no driver and no package."""

import json
import os
import select
import shutil
import subprocess
import time

__all__ = ["Browser", "find_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Seconds for an answer.
_PATIENCE = 60

_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # containers run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
)


def find_browser():
    """Return the path of a browser, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser; ``errors`` holds what went wrong, ``requests`` what it asked for.

    Parameters
    ----------
    path : str
        The browser.
    folder : pathlib.Path
        Of its own.
    size : tuple of int
        Width and height of the page.
    """

    def __init__(self, path, folder, size=(1200, 700)):
        self.errors, self.requests = [], []
        self._answers, self._rest, self._count, self._session = {}, b"", 0, None
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # The protocol is on descriptors 3 and 4, whatever numbers the pipes have.
        shell = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        words = [*_FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={folder}"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, path, *words, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        found = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, method, **parameters):
        """Return the answer to a command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _PATIENCE
        while self._count not in self._answers:
            assert time.monotonic() < until, f"no answer to {method}"
            self._receive()
        answer = self._answers.pop(self._count)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def _receive(self):
        if not select.select([self._in], [], [], 1)[0]:
            return
        data = os.read(self._in, 1 << 16)
        assert data, "the browser has ended"
        *messages, self._rest = (self._rest + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event, about):
        if event == "Runtime.exceptionThrown":
            self.errors.append(about["exceptionDetails"])
        elif event == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.errors.append(about["entry"])
        elif event == "Runtime.consoleAPICalled":
            self.errors.append(about)
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(self, path):
        """Open a file and wait until its scripts have run and it was drawn."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + _PATIENCE
        while not self.run("document.readyState === 'complete' && location.protocol === 'file:'"):
            assert time.monotonic() < until, "the page does not load"
        self.drawn()

    def run(self, expression):
        """Return the value of an expression; a promise is awaited."""
        values = {"returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", expression=expression, **values)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def drawn(self):
        """Wait until what was asked for is on the page."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def mouse(self, kind, x, y, **more):
        """Move, press or release the mouse, or turn its wheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        """Click."""
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", buttons=1, clickCount=1)
        self.drawn()

    def press(self, key, text=""):
        """Press a key."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.drawn()

    def prefer(self, scheme):
        """Let the page believe that the user prefers light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.drawn()

    def screenshot(self):
        """Return the page as PNG, in base64."""
        return self.call("Page.captureScreenshot", format="png")["data"]
