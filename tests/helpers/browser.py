"""A browser that opens the pages we write: Chromium, without a window and without a network."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NO_BROWSER = "no Chromium with chromedriver and Selenium here"
PATIENCE = 20  # seconds until a page that does not do what is waited for has failed
OWN = ("file:", "data:", "blob:", "about:", "chrome:")  # requests that leave the machine alone
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-extensions", "--disable-search-engine-choice-screen", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Browser:
    """One page after another. `driver` is Selenium's, for what has no method here."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads
        driver.get("about:blank")
        self._seen: list[str] = []  # errors and requests: the driver gives each of them once
        self.complaints()
        self._seen.clear()  # those of another test's pages
        self._told("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def open(self, page: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Opens a file in a window of this size in pixels; below 600 it is a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._told("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._told("Emulation.setEmulatedMedia", features=[scheme])
        self.driver.get(page.resolve().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """What JavaScript returns: `return document.title`. The arguments are its `arguments`."""
        return self.driver.execute_script(script, *arguments)

    def until(self, expression: str) -> Any:
        """Waits until a JavaScript expression is true, and returns its value."""
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05)
        return wait.until(lambda driver: driver.execute_script(f"return ({expression})"), f"never true: {expression}")

    def all(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds, to click or to send keys to."""
        return list(self.driver.find_elements("css selector", selector))

    def texts(self, selector: str) -> list[str]:
        """The text of each element that a CSS selector finds, seen or not."""
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector))

    def saved(self, name: str) -> Path:
        """Waits for a file that the page saves; it is whole."""
        from selenium.webdriver.support.wait import WebDriverWait

        path = self.downloads / name  # until it is whole it has another name
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: path.exists(), f"{name}: not saved")
        return path

    def picture(self, path: Path) -> None:
        """Writes what the window shows as a PNG file."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def complaints(self) -> list[str]:
        """Errors on the console and requests that would leave this machine, since this browser's first page."""
        self._seen += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                self._seen += [] if url.startswith(OWN) else [f"requested {url}"]
        return list(self._seen)

    def _told(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


def has_browser() -> bool:
    """Whether pages can be opened here."""
    return bool(_program() and shutil.which("chromedriver") and importlib.util.find_spec("selenium"))


@contextmanager
def driven(profile: Path) -> Iterator[Any]:
    """Selenium's driver of a browser with a new profile in this folder."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(_program())
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def _program() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)
