"""The laws of the house that a machine can hold us to."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PIPELINE = PROJECT / "pipeline"

# Who may import what of the pipeline. `cli` and `steps`, which put the
# parts together, may import everything.
MAY_IMPORT = {
    "errors": set(),
    "tables": set(),
    "hosts": set(),
    "settings": {"errors", "hosts"},
    "turns": {"errors"},
    "database": {"errors", "turns"},
    "statements": {"database"},
    "embedded": {"errors"},
    "terminal": set(),
    "patience": {"errors"},
    "side_by_side": {"errors"},
    "processes": set(),
    "listening": {"errors", "processes"},
    "continuous": {"errors"},
    "grants": {"tables"},
    "migrate": {"database", "errors", "grants", "settings", "tables"},
    "adoption": {"errors", "sync"},
    "status": {"database", "refresh", "sync", "worklist", "writeback"},
    "cht": {"errors"},
    "sync": {"errors", "database", "cht"},
    "tasks": {"errors"},
    "refresh": {"errors", "database"},
    "worklist": {"errors", "database", "statements", "tables"},
    "writeback": {"errors", "database", "cht"},
    "service": {"errors", "database", "cht", "worklist", "listening", "processes", "turns"},
    "demo": {"errors", "database", "embedded", "listening"},
}


# Packages beside the pipeline, which ships without them: what they may import of it.
BESIDE = {
    "oracle": {"database", "demo", "migrate", "refresh", "settings", "tasks"},
}


def _modules() -> list[Path]:
    return sorted(path for path in PIPELINE.rglob("*.py") if path != PIPELINE / "__init__.py")


def _room(path: Path) -> str:
    return path.relative_to(PIPELINE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            names = [f"pipeline.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("pipeline.")}
    return rooms


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PIPELINE)))
def test_a_room_imports_only_the_rooms_it_may(path: Path) -> None:
    room = _room(path)
    if room in {"cli", "steps"}:
        return
    assert _imported_rooms(path) - {room} <= MAY_IMPORT[room]


@pytest.mark.parametrize("package", sorted(BESIDE))
def test_a_package_beside_imports_what_it_may_and_is_imported_by_nobody(package: str) -> None:
    for path in (PROJECT / package).glob("*.py"):
        assert _imported_rooms(path) <= BESIDE[package], path.name
    for path in _modules():
        assert f"import {package}" not in path.read_text(), path
        assert f"from {package}" not in path.read_text(), path


def test_only_the_command_reads_the_environment_and_only_the_terminal_prints() -> None:
    # `refresh/dbt.py` and `demo/run.py` hand an environment to a child, they read no setting
    # of ours; PATH and the like must reach it.
    readers = {"cli.py", "refresh/dbt.py", "demo/run.py"}
    for path in _modules():
        name = str(path.relative_to(PIPELINE))
        text = path.read_text()
        assert "os.environ" not in text or name in readers, name
        assert "print(" not in text or name == "terminal.py", name


def test_rules_are_pure() -> None:
    forbidden = {"os", "psycopg", "sqlalchemy", "httpx", "time", "random", "secrets", "socket"}
    for path in PIPELINE.rglob("rules.py"):
        tree = ast.parse(path.read_text())
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & forbidden, path
        assert ".now(" not in path.read_text(), path


def test_stores_never_commit() -> None:
    for path in PIPELINE.rglob("store.py"):
        assert ".commit(" not in path.read_text(), path
