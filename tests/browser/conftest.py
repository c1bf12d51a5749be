"""A real Chromium before the service, which runs as a process of its own."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.database import Address
from pipeline.tables import SERVICE
from tests.commands import free_port, worklist_for
from tests.conftest import AsRole, SimulatedCht, simulated_cht_at
from tests.integration.recorded_programme import SEVERAL
from tests.waiting import LONG

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_GRAVE = {"serious", "critical"}
Look = Callable[[Page, str], None]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's. Without it these tests are left out, but never where CI is to run them."""
    path = shutil.which("chromium")
    if path is None:
        missing = "no Chromium is installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    expect.set_options(timeout=LONG * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cht_port() -> int:
    return free_port()


@pytest.fixture
def simulated_cht(cht_port: int) -> Iterator[SimulatedCht]:
    """A new one for each test, always at the same address."""
    with simulated_cht_at(cht_port) as cht:
        yield cht


Serving = Callable[[Address, str, str], str]


@pytest.fixture(scope="session")
def _serving(home: Path, _accounts: object) -> Iterator[Serving]:
    """Where `worklist serve` answers for a database, a CHT and an account of the CHT.

    It takes seconds of CPU to start, and stays until another is asked for, which would send what
    this one is to send: each test has a new database and a new CHT, but at the same addresses, and
    the service finds them again.
    """
    with ExitStack() as kept:

        @lru_cache(maxsize=1)
        def serving(address: Address, cht_url: str, account: str) -> str:
            kept.close()
            usual = worklist_for(address, cht_url, home)
            environment = {**usual.environment, "COUCHDB_USER": account}
            return kept.enter_context(replace(usual, environment=environment).serving())

        yield serving


@pytest.fixture
def worklist_url(
    recorded_database: Address,
    as_role: AsRole,
    simulated_cht: SimulatedCht,
    _serving: Serving,
    request: pytest.FixtureRequest,
) -> str:
    """Where the recorded programme is served; its parameter is the CHT's account with which the
    service sends.
    """
    address = as_role(recorded_database, SERVICE)
    return _serving(address, simulated_cht.url, getattr(request, "param", "worklist"))


@pytest.fixture
def several_kinds(
    recorded_database: Address, simulated_cht: SimulatedCht, home: Path, tmp_path: Path
) -> None:
    """The recorded programme has several kinds of tasks."""
    definitions = tmp_path / "tasks.yml"
    definitions.write_text(SEVERAL)
    usual = worklist_for(recorded_database, simulated_cht.url, home)
    changed = {**usual.environment, "WORKLIST_TASKS": str(definitions)}
    replace(usual, environment=changed).must("refresh")


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures go; the folder is not committed."""
    folder = Path(__file__).parents[2] / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def look(screenshots: Path) -> Look:
    """Takes a picture of a page, and fails where something on it keeps people out.

    Pages must not be wider than the screen, and axe must find nothing serious or critical. It needs
    scripts: without them it would never come back.
    """
    axe = Axe()

    def looked(page: Page, name: str) -> None:
        page.screenshot(path=screenshots / f"{name}.png")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), name
        found = axe.run(page).response["violations"]
        grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in _GRAVE]
        assert grave == [], name

    return looked
