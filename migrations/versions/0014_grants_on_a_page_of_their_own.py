"""Grants come from `pipeline.grants` at each migration, which earlier revisions made once

Whoever stores definitions need not own their tables any more: only an owner may analyze a table
before PostgreSQL 17.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (_ANALYZE, _REVOKE):
        op.execute(statement)


_ANALYZE = """
    create function app.analyze_definitions() returns void
    language sql security definer set search_path = pg_catalog
    as $$
        analyze app.programme, app.task_definition, app.task_event, app.task_resolver
    $$
"""

_REVOKE = """
    do $$
    declare
        given record;
    begin
        for given in
            select
                namespace.nspname as schema,
                role.rolname as role
            from pg_namespace as namespace
            cross join pg_roles as role
            where
                namespace.nspname in ('app', 'worklist', 'worklist_live', 'worklist_pii')
                and role.rolname in (
                    'worklist_sync', 'worklist_service', 'worklist_analyst', 'worklist_analyst_pii'
                )
        loop
            execute format(
                'alter default privileges in schema %I revoke all on tables from %I',
                given.schema, given.role
            );
        end loop;
    end $$
"""
