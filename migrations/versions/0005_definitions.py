"""What tasks.yml may say besides reports: contacts, scheduled tasks, the CHT's limits

Definitions are stored anew by the next refresh, so that defaults only serve until then.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    alter table app.programme
        add column timely_past_days integer not null default 60,
        add column timely_future_days integer not null default 180
    """,
    "alter table app.task_definition rename column form_codes to applies_to_type",
    """
    alter table app.task_definition
        alter column applies_to_type drop not null,
        add column applies_to text not null default 'reports',
        add column contact_label_path text[],
        add column is_resolved_when_cleared boolean not null default false,
        add constraint task_definition_applies_to_known check (
            applies_to in ('reports', 'contacts', 'scheduled_tasks')
        )
    """,
    """
    alter table app.task_definition
        alter column applies_to drop default,
        alter column is_resolved_when_cleared drop default
    """,
    """
    alter table app.programme
        alter column timely_past_days drop default,
        alter column timely_future_days drop default
    """,
    # A schedule's moments are of a day in the programme's zone; a bare day is that day anywhere.
    r"""
    create function app.read_local_day(value text, zone text) returns date
    language sql stable parallel safe
    as $$
        select case
            when value ~ '^.{10}$' then app.read_day(value, zone)
            else coalesce(
                (app.read_moment(value) at time zone zone)::date, app.read_day(value, zone)
            )
        end
    $$
    """,
)
