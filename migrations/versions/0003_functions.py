"""The clock, and the functions that read what documents say

They hold no backslash: where standard_conforming_strings is off, PostgreSQL would drop it each time
that a function is called. Functions that read days and moments are `stable`, because casts between
text and moments depend on settings of the session; none of them raises.
"""

from alembic import op

revision = "0003_functions"
down_revision = "0002_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*_CLOCK, *_READERS, *_OTHERS):
        op.execute(statement)


_CLOCK = (
    """
    create function app.programme_zone() returns text
    language sql stable
    as $$ select coalesce((select programme.timezone from app.programme), 'UTC') $$
    """,
    # WORKLIST_NOW reaches SQL as the setting worklist.now; a bare day means its noon.
    """
    create function app.worklist_now() returns timestamptz
    language sql stable
    as $$
        select case
            when coalesce(current_setting('worklist.now', true), '') = '' then now()
            when length(current_setting('worklist.now')) = 10 then
                (current_setting('worklist.now')::date + time '12:00')
                at time zone app.programme_zone()
            else current_setting('worklist.now')::timestamptz
        end
    $$
    """,
    """
    create function app.today() returns date
    language sql stable
    as $$ select (app.worklist_now() at time zone app.programme_zone())::date $$
    """,
)

_READERS = (
    # Outside these years a day cannot be meant.
    """
    create function app.readable_day(day date) returns date
    language sql immutable parallel safe
    as $$ select case when day between '1900-01-01' and '2199-12-31' then day end $$
    """,
    # A number counts milliseconds; one before 2000 was meant as seconds.
    """
    create function app.read_day(value text, zone text) returns date
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
                when value ~ '^[0-9]{12,14}([.][0-9]{1,9})?$' and value::numeric >= 946684800000
                    then (to_timestamp(value::numeric / 1000) at time zone zone)::date
            end as value
        ) as day
    $$
    """,
    """
    create function app.read_moment(value text) returns timestamptz
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
    # The day in the programme's zone of a schedule's moment; a bare day is that day anywhere.
    """
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
    """
    create function app.read_count(value text) returns integer
    language sql immutable parallel safe
    as $$ select case when value ~ '^[0-9]{1,9}$' then value::integer end $$
    """,
    # Where clocks turn back over midnight there are two; the CHT takes the first.
    """
    create function app.local_midnight(day date, zone text) returns timestamptz
    language sql stable parallel safe
    as $$
        select case
            when ((day::timestamp at time zone zone) - interval '1 hour') at time zone zone
                = day::timestamp
            then (day::timestamp at time zone zone) - interval '1 hour'
            else day::timestamp at time zone zone
        end
    $$
    """,
)

_OTHERS = (
    # RFC 9562 version 8 from SHA-256: PostgreSQL has no SHA-1 of its own, which version 5 needs.
    """
    create function app.task_uuid(task_id text) returns uuid
    language sql immutable strict parallel safe
    as $$
        select encode(
            set_byte(
                set_byte(digest.value, 6, (get_byte(digest.value, 6) & 15) | 128),
                8, (get_byte(digest.value, 8) & 63) | 128
            ),
            'hex'
        )::uuid
        from (
            select substring(
                sha256(
                    decode('5d0c7c1e6d0b4ad09b5e7c4a3f6f2b11', 'hex')
                    || convert_to(task_id, 'UTF8')
                ) from 1 for 16
            ) as value
        ) as digest
    $$
    """,
    # Before PostgreSQL 17 only an owner may analyze a table, and worklist_sync owns none of these.
    """
    create function app.analyze_definitions() returns void
    language sql security definer set search_path = pg_catalog
    as $$
        analyze app.programme, app.task_definition, app.task_event, app.task_resolver
    $$
    """,
)
