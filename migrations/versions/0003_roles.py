"""Schemas of dbt, and roles with only what each needs

Default privileges cover what dbt will build, so that no rebuild loses a grant. Where the account
may not create roles (a managed server), an administrator creates them first; without them the
grants are left out.
"""

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_READS = {
    "worklist_analyst": ("worklist",),
    "worklist_analyst_pii": ("worklist", "worklist_pii"),
    "worklist_service": ("worklist", "worklist_live", "worklist_pii", "app"),
}


def upgrade() -> None:
    landing = context.config.attributes["landing_schema"]
    for schema in ("worklist", "worklist_live", "worklist_pii", "worklist_build"):
        op.execute(f"create schema if not exists {schema}")
    for role, schemas in _READS.items():
        _grant(
            role,
            *(f"grant usage on schema {schema} to {role}" for schema in schemas),
            *(f"grant select on all tables in schema {schema} to {role}" for schema in schemas),
            *(
                f"alter default privileges in schema {schema} grant select on tables to {role}"
                for schema in schemas
            ),
        )
    _grant(
        "worklist_service",
        "grant insert, update, delete on app.session, app.idempotency_key to worklist_service",
        "grant insert, update on app.verification, app.outbox to worklist_service",
    )
    _grant(
        "worklist_sync",
        f"grant usage on schema {landing}, app to worklist_sync",
        f"grant select, insert, update, delete on all tables in schema {landing} to worklist_sync",
        f"grant usage on all sequences in schema {landing} to worklist_sync",
        "grant select on app.programme, app.instance to worklist_sync",
    )


def _grant(role: str, *statements: str) -> None:
    body = "\n".join(f"execute '{statement}';" for statement in statements)
    op.execute(f"""
        do $$ begin
            if not exists (select from pg_roles where rolname = '{role}') then
                create role {role} nologin;
            end if;
            {body}
        exception when insufficient_privilege then
            raise notice 'role {role} was not set up: %', sqlerrm;
        end $$
    """)
