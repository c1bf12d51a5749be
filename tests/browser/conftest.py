"""A real Chromium before the service, which runs as a process of its own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from pipeline.database import Address
from tests.conftest import worklist_for

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's. Without it these tests are left out, but never where CI is to run them."""
    path = shutil.which("chromium")
    if path is None:
        missing = "no Chromium is installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()


@pytest.fixture
def worklist_url(recorded_database: Address, simulated_cht: Any, home: Path) -> Iterator[str]:
    """Where `worklist serve` answers, on the recorded programme."""
    with worklist_for(recorded_database, simulated_cht.url, home).serving() as url:
        yield url


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: WORKLIST_TEST_SCREENSHOTS, if that is set."""
    folder = Path(os.environ.get("WORKLIST_TEST_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
