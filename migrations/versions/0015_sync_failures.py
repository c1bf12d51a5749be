"""A sync that fails is written down, and the patterns of our functions need no backslash

With `standard_conforming_strings = off`, which a database or a session may have, PostgreSQL reads
`\\d` in a function's body as `d` each time that it is called, and no date matches any more. Digits
are those of ASCII now in every locale, as the casts that follow them have it.
"""

from alembic import context, op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = context.config.attributes["landing_schema"]
    table = context.config.attributes["landing_table"]
    op.execute(_FAILURES.format(schema=schema, table=table))
    op.execute(_WITHOUT_BACKSLASHES)


_FAILURES = """
    create table {schema}.{table}_sync_failure (
        source varchar primary key,
        failing_since timestamptz not null,
        failed_at timestamptz not null,
        reason text not null
    )
"""

_WITHOUT_BACKSLASHES = r"""
    do $do$
    declare
        definition text;
    begin
        for definition in
            select pg_get_functiondef(function.oid)
            from pg_proc as function
            where function.pronamespace = 'app'::regnamespace and strpos(function.prosrc, '\') > 0
        loop
            execute replace(replace(definition, '\d', '[0-9]'), '\.', '[.]');
        end loop;
    end $do$
"""
