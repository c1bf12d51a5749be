"""Records refreshes in app.refresh_run, and finds the owner of the schemas that dbt fills."""

from datetime import datetime

import psycopg

from pipeline.errors import SettingsWrong

# One refresh at a time in a database, whichever tier; the number is arbitrary but ours.
_LOCK = 7_203_581_442


def role_to_act_as(connection: psycopg.Connection) -> str | None:
    """The owner of what dbt builds, or None where that is this account or nothing is migrated.

    Everything has one owner, since its default privileges let the other roles read.
    Raises SettingsWrong where the account may not act as that role.
    """
    row = connection.execute("""
        select
            pg_get_userbyid(namespace.nspowner)::text,
            pg_has_role(namespace.nspowner, 'member'),
            current_user::text,
            format('grant %I to %I;', pg_get_userbyid(namespace.nspowner), current_user)
        from pg_namespace as namespace
        where
            namespace.nspname = 'worklist_build'
            and pg_get_userbyid(namespace.nspowner) <> current_user
    """).fetchone()
    if row is None:
        return None
    owner, is_member, account, remedy = row
    if not is_member:
        raise SettingsWrong(
            f"The account {account} may not refresh, since the marts belong to {owner}: use an "
            f"account that may, or have an administrator run: {remedy}"
        )
    return str(owner)


def lock(connection: psycopg.Connection) -> bool:
    """Takes the refresh lock until the connection closes; False if it is already taken."""
    row = connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
    return bool(row and row[0])


def unlock(connection: psycopg.Connection) -> None:
    connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def remember(
    connection: psycopg.Connection,
    tier: str,
    started_at: datetime,
    finished_at: datetime,
    failed_model: str | None,
    project_hash: str,
) -> None:
    connection.execute(
        """
        insert into app.refresh_run (
            tier, started_at, finished_at, is_success, failed_model, project_hash
        )
        values (%s, %s, %s, %s, %s, %s)
        """,
        [tier, started_at, finished_at, failed_model is None, failed_model, project_hash],
    )


def last_project_hash(connection: psycopg.Connection, tier: str) -> str | None:
    """The hash of the dbt project of a tier's last successful run; None before the first."""
    row = connection.execute(
        """
        select refresh_run.project_hash
        from app.refresh_run
        where refresh_run.tier = %s and refresh_run.is_success
        order by refresh_run.finished_at desc, refresh_run.run_id desc
        limit 1
        """,
        [tier],
    ).fetchone()
    return row[0] if row else None


def marts_read_retired(connection: psycopg.Connection) -> bool:
    """Whether a published mart still reads a materialized view that was retired and rebuilt."""
    row = connection.execute("""
        select exists (
            select from pg_depend
            inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
            inner join pg_class as mart on pg_rewrite.ev_class = mart.oid
            inner join pg_class as retired on pg_depend.refobjid = retired.oid
            where
                mart.relnamespace = to_regnamespace('worklist')
                and retired.relname like 'retired\\_%'
        )
    """).fetchone()
    return bool(row and row[0])


def latest(connection: psycopg.Connection) -> dict[str, dict[str, object]]:
    """The last run of each tier, and when it last succeeded."""
    rows = connection.execute("""
        select distinct on (tier)
            tier,
            finished_at,
            failed_model,
            (
                select max(good.finished_at)
                from app.refresh_run as good
                where good.tier = refresh_run.tier and good.is_success
            ) as succeeded_at
        from app.refresh_run
        order by tier, finished_at desc, run_id desc
    """).fetchall()
    return {
        tier: {"finished_at": finished_at, "failed_model": failed_model, "succeeded_at": good_at}
        for tier, finished_at, failed_model, good_at in rows
    }
