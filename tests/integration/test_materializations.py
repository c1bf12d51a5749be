"""The materializations of our own, in a small project with the settings and macros of the real one.

What is read is kept, whatever changes: that is why they are not dbt's.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pipeline.database import connect, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from testbed import databases
from tests.commands import NOW
from tests.conftest import PostgresServer
from tests.integration.recorded_programme import DEFINITIONS

PERSON_DOCUMENT = """
{{ config(unique_key='uuid') }}
select 'amina' as uuid, 31 as age
"""
CONTRACT = """
models:
  - name: person_document
    columns:
      - {name: uuid, data_type: text}
      - {name: age, data_type: integer}
"""
LIVE_PERSON = "select uuid, age from {{ ref('person_document') }}"
STORED_PERSON = """
{{ config(unique_key='uuid', indexes=[{'columns': ['age'], 'type': 'hash'}]) }}
select uuid, age from {{ ref('live_person') }}
"""
PERSON = "select uuid, age from {{ ref('stored_person') }}"

# Each is honoured by some materialization of dbt's own, but not by this one of ours.
REFUSED = {
    "replaced_view": {
        "contract": "{'enforced': true}",
        "full_refresh": "false",
        "grants": "{'select': ['public']}",
        "incremental_strategy": "'append'",
        "indexes": "[{'columns': ['uuid']}]",
        "on_configuration_change": "'fail'",
        "on_schema_change": "'append_new_columns'",
        "sql_header": "'set local work_mem = 64'",
        "unique_key": "'uuid'",
        "uniqe_key": "'uuid'",
    },
    "concurrent_materialized_view": {
        "contract": "{'enforced': true}",
        "grants": "{'select': ['public']}",
        "incremental_predicates": "['true']",
        "on_configuration_change": "'continue'",
        "on_schema_change": "'fail'",
        "sql_header": "'set local work_mem = 64'",
        "unlogged": "true",
    },
}
CASES = [(kind, config) for kind, configs in REFUSED.items() for config in configs]


class SmallProject:
    """A project of one mart, to change and to refresh."""

    def __init__(
        self, folder: Path, connection: psycopg.Connection, running: dbt_process.Dbt
    ) -> None:
        self._models = folder / "models"
        self._dbt = running
        self.connection = connection

    def write(self, model: str, text: str) -> None:
        (self._models / model).write_text(text)

    def refresh(self, *tiers: str) -> None:
        for tier in tiers:
            refresh_run.refresh(
                self.connection, self._dbt, tier, lambda: now(self.connection), lambda *_: None
            )

    def failures(self, *arguments: str) -> dict[str, str]:
        return dict(self._dbt.run(list(arguments), lambda *_: None).failed)

    def mart(self) -> list[tuple[object, ...]]:
        return self.connection.execute("select * from worklist.person").fetchall()

    def oid(self, relation: str) -> object:
        return self.connection.execute("select %s::regclass::oid", [relation]).fetchall()[0][0]

    def retired(self) -> list[tuple[object, ...]]:
        return self.connection.execute(
            "select relname from pg_class where relname like 'retired%' and relkind <> 'i'"
        ).fetchall()


@pytest.fixture(scope="module")
def _small_project(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SmallProject, Path]]:
    folder = tmp_path_factory.mktemp("small") / "project"
    shutil.copytree(DEFINITIONS / "macros", folder / "macros")
    for name in ("dbt_project.yml", "models/sources.yml", "models/staging/refresh_boundary.sql"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEFINITIONS / name, folder / name)
    for name in ("base", "live", "stored", "published", "refused"):
        (folder / "models" / name).mkdir()
    (folder / "tests").mkdir()
    (folder / "tests" / "nothing_is_wrong.sql").write_text(
        "select 1 from {{ ref('live_person') }} where false"
    )
    for number, (kind, config) in enumerate(CASES):
        (folder / "models" / "refused" / f"refused_{number}.sql").write_text(
            f"{{{{ config(materialized='{kind}', {config}={REFUSED[kind][config]}) }}}}\n"
            "select 'amina' as uuid"
        )
    _write_models(folder / "models")
    with (
        databases.created(postgres_server.maintenance, postgres_server.template) as created,
        connect(address := replace(created, now=NOW), autocommit=True) as connection,
        dbt_process.running(address, "v1", "couchdb", folder.parent, folder) as running,
    ):
        yield SmallProject(folder, connection, running), folder / "models"


@pytest.fixture
def small(_small_project: tuple[SmallProject, Path]) -> SmallProject:
    """As written at first, and published; one database and one dbt for all tests."""
    project, models = _small_project
    _write_models(models)
    project.refresh("live", "published")
    return project


def _write_models(models: Path) -> None:
    (models / "base" / "person_document.sql").write_text(PERSON_DOCUMENT)
    (models / "base" / "person_document.yml").write_text(CONTRACT)
    (models / "live" / "live_person.sql").write_text(LIVE_PERSON)
    (models / "stored" / "stored_person.sql").write_text(STORED_PERSON)
    (models / "published" / "person.sql").write_text(PERSON)


@pytest.fixture(scope="module")
def refusals(_small_project: tuple[SmallProject, Path]) -> dict[str, str]:
    project, _ = _small_project
    return project.failures("run", "--select", "path:models/refused")


@pytest.mark.parametrize(("kind", "config"), CASES)
@pytest.mark.one_server
def test_a_config_that_is_not_honoured_is_refused(
    refusals: dict[str, str], kind: str, config: str
) -> None:
    model = f"refused_{CASES.index((kind, config))}"
    assert f"{kind} does not honour the config `{config}`" in refusals[model]


def test_columns_that_change_keep_every_reader_until_the_mart_has_them(small: SmallProject) -> None:
    small.connection.execute("create view public.mine as select * from worklist_live.person")
    small.write("base/person_document.sql", PERSON_DOCUMENT.replace("31 as age", "32 as age"))
    small.write("live/live_person.sql", LIVE_PERSON.replace("uuid, age", "age, uuid"))
    small.refresh("live")
    assert small.mart() == [("amina", 31)]
    assert small.connection.execute("select age, uuid from worklist_live.person").fetchall() == [
        (32, "amina")
    ]
    small.refresh("published")
    assert small.mart() == [("amina", 32)]
    # an analyst's own view is all that still reads what was retired
    assert small.connection.execute("select * from public.mine").fetchall() == [("amina", 31)]
    small.connection.execute("drop view public.mine")
    small.refresh("live")
    assert small.retired() == []


def test_a_column_that_a_mart_gains_reaches_it_with_the_next_publication(
    small: SmallProject,
) -> None:
    small.write("live/live_person.sql", LIVE_PERSON.replace("age", "age::bigint, 'f' as sex"))
    small.write("stored/stored_person.sql", STORED_PERSON.replace("uuid, age", "sex, uuid, age"))
    small.write("published/person.sql", PERSON.replace("uuid, age", "sex, uuid, age"))
    small.refresh("live")
    assert small.mart() == [("amina", 31)]
    small.refresh("published")
    assert small.mart() == [("f", "amina", 31)]
    assert small.retired() == []


def test_changed_sql_is_rebuilt(small: SmallProject) -> None:
    small.write("stored/stored_person.sql", f"{STORED_PERSON} where age < 18")
    small.refresh("published")
    assert small.mart() == []


def test_marts_show_what_was_rebuilt(small: SmallProject) -> None:
    small.connection.execute("update worklist_build.person_document set age = 33")
    small.connection.execute(
        "do $$ begin execute (select format('alter index worklist_build.%I rename to another', "
        "indexname) from pg_indexes where indexname like 'stored_person_key_%'); end $$"
    )
    small.refresh("published")
    assert small.mart() == [("amina", 33)]
    assert small.retired() == []


def test_what_did_not_change_is_refreshed_where_it_is(small: SmallProject) -> None:
    before = small.oid("worklist_build.stored_person")
    small.connection.execute("update worklist_build.person_document set age = 33")
    small.refresh("published")
    assert small.mart() == [("amina", 33)]
    assert small.oid("worklist_build.stored_person") == before
    assert small.failures("run", "--select", "stored_person", "--full-refresh") == {}
    assert small.oid("worklist_build.stored_person") != before


def test_indexes_are_of_the_configured_kind(small: SmallProject) -> None:
    found = small.connection.execute(
        "select indexdef from pg_indexes where tablename = 'stored_person' order by indexdef"
    ).fetchall()
    assert [row[0].split(" USING ")[1] for row in found] == ["hash (age)", "btree (uuid)"]


def test_a_changed_column_of_a_table_is_refused_until_a_full_refresh(small: SmallProject) -> None:
    small.write("base/person_document.sql", PERSON_DOCUMENT.replace("31 as age", "31 as years"))
    small.write("base/person_document.yml", CONTRACT.replace("name: age", "name: years"))
    (failure,) = small.failures("run", "--select", "person_document").values()
    assert "out of sync" in failure
