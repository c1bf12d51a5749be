"""Rules of the architecture: who imports what, who reads the environment, who commits."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PIPELINE = PROJECT / "pipeline"

# Who may import what of the pipeline. `cli`, `steps` and `serve`, which put the parts together, may
# import everything.
MAY_IMPORT = {
    "errors": set(),
    "translatable": set(),
    "online_users": set(),
    "tables": set(),
    "hosts": set(),
    "packaged_files": set(),
    "settings": {"errors", "hosts", "packaged_files"},
    "database": {"errors"},
    "embedded": {"errors"},
    "terminal": set(),
    "retry": {"errors"},
    "daemon_threads": set(),
    "asgi_server": {"errors"},
    "continuous": {"errors"},
    "grants": {"tables"},
    "migrate": {"database", "errors", "grants", "packaged_files", "settings", "tables"},
    "adoption": {"errors", "sync"},
    "status": {"database", "refresh", "sync", "worklist", "writeback"},
    "cht": {"errors", "online_users"},
    "sync": {"errors", "database", "cht"},
    "tasks": {"errors"},
    "refresh": {"errors", "database", "packaged_files"},
    "worklist": {"errors", "database", "online_users", "tables", "translatable"},
    "writeback": {"errors", "database", "cht"},
    "service": {"errors", "database", "cht", "worklist", "asgi_server", "translatable"},
    "demo": {"errors", "embedded"},
}


# Other packages: what they may import of the pipeline.
BESIDE = {
    "oracle": {"database", "migrate", "refresh", "settings", "tasks"},
    "testbed": {"asgi_server", "database", "embedded", "errors", "migrate", "settings"},
}


def _modules() -> list[Path]:
    return sorted(path for path in PIPELINE.rglob("*.py") if path != PIPELINE / "__init__.py")


def _part(path: Path) -> str:
    return path.relative_to(PIPELINE).parts[0].removesuffix(".py")


def _imported_parts(path: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            names = [f"pipeline.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        parts |= {name.split(".")[1] for name in names if name.startswith("pipeline.")}
    return parts


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PIPELINE)))
def test_a_part_imports_only_the_parts_it_may(path: Path) -> None:
    part = _part(path)
    if part in {"cli", "steps", "serve"}:
        return
    assert _imported_parts(path) - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("package", sorted(BESIDE))
def test_a_package_beside_the_pipeline_imports_what_it_may(package: str) -> None:
    for path in (PROJECT / package).rglob("*.py"):
        assert _imported_parts(path) <= BESIDE[package], path


@pytest.mark.parametrize("package", sorted(BESIDE))
def test_only_the_command_imports_a_package_beside_the_pipeline(package: str) -> None:
    for path in _modules():
        if path != PIPELINE / "cli.py":
            assert f"import {package}" not in path.read_text(), path
            assert f"from {package}" not in path.read_text(), path


def test_only_the_command_reads_the_environment_and_only_the_terminal_prints() -> None:
    # `refresh/dbt_process.py` and `demo.py` hand an environment to a child, they read no setting
    # of ours; PATH and the like must reach it.
    readers = {"cli.py", "refresh/dbt_process.py", "demo.py"}
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
