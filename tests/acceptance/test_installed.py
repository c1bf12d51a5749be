"""The wheel as an operator installs it: in an environment of its own, run from an empty folder."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.commands import free_port

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.one_server


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), PROJECT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel and the libraries of the lock."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    locked = ("--require-hashes", "-r", PROJECT / "requirements" / "run.txt")
    _pip(python, "install", "--no-compile", "--no-deps", *locked)
    _pip(python, "install", "--no-deps", wheel)
    _pip(python, "check")
    return folder


def _pip(python: str, *arguments: str | Path) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_what_an_installed_worklist_needs_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "pipeline",
        "testbed",
    }
    shipped = [
        path.relative_to(PROJECT).as_posix()
        for folder in ("dbt_project", "migrations")
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {f"pipeline/{name}" for name in shipped} <= set(names)
    assert "testbed/databases.py" not in names


def test_an_installed_worklist_runs_the_demo_and_the_night(
    environment: Path, tmp_path: Path
) -> None:
    installed = _files(environment)
    demo_folder, operators_folder = tmp_path / "demo", tmp_path / "operator"
    port = str(free_port())
    demo_folder.mkdir()
    operators_folder.mkdir()
    demo = _started(environment, demo_folder, "demo", WORKLIST_PORT=port)
    try:
        said = _until_ready(demo)
        assert f"http://127.0.0.1:{port}" in said
        page = httpx.get(f"http://127.0.0.1:{port}/sign-in").raise_for_status()
        assert "stylesheet" in page.text
        cht = re.search(r"simulated CHT is at http://127\.0\.0\.1:(\d+)", said)
        assert cht
        settings = {
            "COUCHDB_HOST": "127.0.0.1",
            "COUCHDB_PORT": cht.group(1),
            "COUCHDB_USER": "worklist",
        }
        for command in ("migrate", "nightly", "publish"):
            done = _started(environment, operators_folder, command, **settings)
            _, errors = done.communicate(timeout=300)
            assert done.returncode == 0, errors
            assert "Warning" not in errors
        status = _started(environment, operators_folder, "status", "--json", **settings)
        report = json.loads(status.communicate(timeout=60)[0])
        assert report["needs_attention"] == []
    finally:
        demo.terminate()
        demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert _files(environment) == installed


def _started(
    environment: Path, folder: Path, *arguments: str, **settings: str
) -> "subprocess.Popen[str]":
    known = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    return subprocess.Popen(
        [environment / "bin" / "worklist", *arguments],
        cwd=folder,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until_ready(demo: "subprocess.Popen[str]") -> str:
    """What it says until then."""
    assert demo.stderr is not None
    lines = []
    for line in demo.stderr:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    return "".join(lines)


def _files(environment: Path) -> set[Path]:
    """What is installed, except for bytecode."""
    return {path for path in environment.rglob("*") if "__pycache__" not in path.parts}
