"""Where `dbt_project/` and `migrations/` are: in the installed package, or beside it in a clone."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDER = _PACKAGE if (_PACKAGE / "dbt_project").is_dir() else _PACKAGE.parent
DBT_PROJECT = _FOLDER / "dbt_project"
MIGRATIONS = _FOLDER / "migrations"
TASKS = DBT_PROJECT / "tasks.yml"
