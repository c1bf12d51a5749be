"""What resolves and what traces, as tasks.yml says it; the appointment of an answer; true days

Definitions are stored anew by the next refresh, so that defaults only serve until then.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    create table app.task_resolver (
        definition text not null references app.task_definition (name) on delete cascade,
        resolver integer not null,
        alternative integer not null,
        form text not null,
        is_default boolean not null,
        condition jsonpath,
        source_path text[],
        visit_path text[],
        primary key (definition, resolver)
    )
    """,
    """
    alter table app.task_definition
        drop column is_resolved_by_default,
        drop column default_form,
        drop column newer_report_forms,
        add column tracing_forms text[] not null default '{}',
        add column trace_outcome_path text[],
        add column reasons_not_to_trace text[] not null default '{}',
        add column is_verified_in_cht boolean not null default true
    """,
    """
    alter table app.task_definition
        alter column tracing_forms drop default,
        alter column reasons_not_to_trace drop default,
        alter column is_verified_in_cht drop default
    """,
    """
    alter table app.verification
        add column appointment_on date,
        add column patient_uuid text,
        alter column appointment_on set statistics 10,
        alter column patient_uuid set statistics 10
    """,
    "create index verification_of_patient on app.verification (patient_uuid)",
    # The functions stay `stable`: what they read depends on the zone that is passed in alone, but
    # casts between text and moments depend on settings of the session.
    """
    create function app.readable_day(day date) returns date
    language sql immutable parallel safe
    as $$ select case when day between '1900-01-01' and '2199-12-31' then day end $$
    """,
    """
    create or replace function app.read_day(value text, zone text) returns date
    language sql stable parallel safe
    as $$
        select app.readable_day(day.value)
        from (
            select case
                when value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' then
                    case
                        when substr(value, 1, 4)::int < 1 then null
                        when substr(value, 6, 2)::int not between 1 and 12 then null
                        when substr(value, 9, 2)::int not between 1 and extract(
                            day from make_date(
                                substr(value, 1, 4)::int, substr(value, 6, 2)::int, 1
                            ) + interval '1 month - 1 day'
                        ) then null
                        else make_date(
                            substr(value, 1, 4)::int,
                            substr(value, 6, 2)::int,
                            substr(value, 9, 2)::int
                        )
                    end
                -- 2000: what is less are seconds taken for milliseconds
                when value ~ '^[0-9]{12,14}([.][0-9]{1,9})?$' and value::numeric >= 946684800000
                    then (to_timestamp(value::numeric / 1000) at time zone zone)::date
            end as value
        ) as day
    $$
    """,
    """
    create or replace function app.read_moment(value text) returns timestamptz
    language sql stable parallel safe
    as $$
        select case
            when app.read_day(value, 'UTC') is null then null
            when value ~ '^[0-9]{12,14}([.][0-9]{1,9})?$' then to_timestamp(value::numeric / 1000)
            when value ~ '^.{10}$' then (value || 'T00:00:00Z')::timestamptz
            when value ~ (
                '^.{10}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?'
                || '(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])$'
            ) then value::timestamptz
        end
    $$
    """,
    # An answer belongs to the appointment that its report names.
    """
    update app.verification
    set
        appointment_on = app.read_day(outbox.report #>> '{fields,appointment_date}', 'UTC'),
        patient_uuid = nullif(outbox.report #>> '{fields,patient_uuid}', '')
    from app.outbox
    where outbox.verification_id = verification.verification_id
    """,
)
