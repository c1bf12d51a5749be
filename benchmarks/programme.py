"""A programme of any size, invented inside PostgreSQL and landed as the sync would have landed it.

Shares are those of a programme some years old: a quarter contacts, nine twentieths reports of
twelve forms, a quarter task documents of phones. The same numbers give the same documents; their
days are counted back from now.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.types.numeric import Int8

from benchmarks.servers import SOURCE
from pipeline.database import now
from pipeline.tasks import run as defining
from testbed.invented_programme import configuration

TASKS = Path(__file__).parents[1] / "dbt_project" / "tasks.yml"
FORMS = {
    "trace": 20,
    "missed_appointment_verification": 6,
    "visit_verification": 5,
    "trace_follow_up": 8,
    "household_visit": 48,
    "pregnancy_visit": 24,
    "immunization": 20,
    "child_assessment": 12,
    "postnatal_visit": 12,
    "pregnancy_registration": 10,
    "stock_count": 8,
    "delivery": 5,
}
# Which of an area's traces the first report of a form answers; the second the next, and so on.
FIRST_ANSWERED = {"missed_appointment_verification": 0, "trace_follow_up": 0}
QUESTIONS = 18


@dataclass(frozen=True)
class Shape:
    """How many of each: areas and supervisors in a site, everything below in an area."""

    sites: int
    supervisors: int = 2
    areas: int = 10
    households: int = 24
    patients: int = 74
    reports: Mapping[str, int] = field(default_factory=lambda: FORMS)
    chw_tasks: int = 108
    targets: int = 12
    trace_days: int = 120  # the first trace was that long ago
    unevenness: int = 0  # of the traces of a site's areas up to so many are left out, by turns

    @classmethod
    def of(cls, documents: int) -> "Shape":
        """The usual shares; a site with its ten areas comes to 4,005 documents."""
        return cls(sites=max(documents // 4_000, 1))

    def numbers(self) -> dict[str, Int8]:
        """What the statements below are filled with; wide, since they multiply them."""
        numbers = {
            "site_count": self.sites,
            "area_count": self.sites * self.areas,
            "supervisors": self.supervisors,
            "areas": self.areas,
            "households": self.households,
            "patients": self.patients,
            "chw_tasks": self.chw_tasks,
            "targets": self.targets,
            "visits": self.reports["household_visit"],
            "traces": self.reports["trace"],
            "trace_days": self.trace_days,
            "unevenness": self.unevenness,
        }
        return {name: Int8(number) for name, number in numbers.items()}


def write(connection: psycopg.Connection, shape: Shape) -> int:
    """Lands the programme and stores the task definitions as shipped; returns how many documents.

    `connection` commits by itself.
    """
    with connection.transaction():
        _prepare(connection)
        _configuration(connection)
        _places(connection, shape)
        _people(connection, shape)
        for form in shape.reports:
            _reports(connection, shape, form)
        _chw_tasks(connection, shape)
        _targets(connection, shape)
        _users(connection, shape)
        count = _land(connection)
        defining.store_definitions(connection, TASKS.read_text(), TASKS.name, now(connection))
    return count


def _prepare(connection: psycopg.Connection) -> None:
    connection.execute("set local work_mem = '512MB'")
    connection.execute("""
        create temporary table invented (uuid text, doc jsonb, is_deleted boolean default false)
        on commit drop
    """)
    connection.execute("""
        create or replace function pg_temp.invented_id(kind text, number bigint) returns text
        language sql immutable
        as $$ select md5(kind || number)::uuid::text $$
    """)
    connection.execute("""
        create or replace function pg_temp.milliseconds(moment timestamptz) returns bigint
        language sql immutable
        as $$ select (extract(epoch from moment) * 1000)::bigint $$
    """)
    connection.execute("""
        create or replace function pg_temp.area_link(number bigint, areas bigint) returns jsonb
        language sql immutable
        as $$
            select jsonb_build_object(
                '_id', pg_temp.invented_id('area', number),
                'parent', jsonb_build_object('_id', pg_temp.invented_id('site', number / areas))
            )
        $$
    """)
    # where the nth answer of an area is about its nth trace, both must fall on the same day
    connection.execute("""
        create or replace function pg_temp.trace_age(area bigint, trace bigint, trace_days bigint)
        returns integer
        language sql immutable
        as $$ select ((trace * 37 + area * 13) % trace_days)::integer $$
    """)


def _configuration(connection: psycopg.Connection) -> None:
    with connection.cursor().copy("copy invented (uuid, doc) from stdin") as copy:
        for document in configuration.documents():
            copy.write_row([document["_id"], json.dumps(document)])


def _places(connection: psycopg.Connection, shape: Shape) -> None:
    connection.execute(
        """
        insert into invented (uuid, doc)
        select
            place.uuid,
            jsonb_strip_nulls(jsonb_build_object(
                '_id', place.uuid,
                'type', 'contact',
                'contact_type', place.contact_type,
                'name', place.contact_type || ' ' || place.number,
                'place_id', place.number || place.shortcode_ending,
                'reported_date', 1700000000000 + place.number,
                'contact', place.contact,
                'parent', place.parent
            ))
        from (
            select
                pg_temp.invented_id('site', number) as uuid,
                'site' as contact_type,
                '901' as shortcode_ending,
                number,
                jsonb_build_object(
                    '_id', pg_temp.invented_id('supervisor', number * %(supervisors)s)
                ) as contact,
                null::jsonb as parent
            from generate_series(0, %(site_count)s - 1) as number
            union all
            select
                pg_temp.invented_id('area', number),
                'chw_area',
                '902',
                number,
                jsonb_build_object('_id', pg_temp.invented_id('chw', number)),
                pg_temp.area_link(number, %(areas)s) -> 'parent'
            from generate_series(0, %(area_count)s - 1) as number
            union all
            select
                pg_temp.invented_id('household', number),
                'household',
                '903',
                number,
                null,
                pg_temp.area_link(number / %(households)s, %(areas)s)
            from generate_series(0, %(area_count)s * %(households)s - 1) as number
        ) as place
        """,
        shape.numbers(),
    )


def _people(connection: psycopg.Connection, shape: Shape) -> None:
    """Supervisors, CHWs and patients, of whom one in a hundred is muted, one in 200 dead."""
    connection.execute(
        """
        insert into invented (uuid, doc)
        select
            person.uuid,
            jsonb_strip_nulls(jsonb_build_object(
                '_id', person.uuid,
                'type', 'contact',
                'contact_type', 'person',
                'name', 'Person ' || person.number,
                'patient_id', person.number || person.shortcode_ending,
                'phone', '+2659' || lpad((person.number %% 100000000)::text, 8, '0'),
                'sex', case person.number %% 2 when 0 then 'female' else 'male' end,
                'date_of_birth', date '1950-01-01' + (person.number * 7 %% 25000)::integer,
                'reported_date', 1700000000000 + person.number,
                'parent', person.parent,
                'muted', case when person.number %% 100 = 17 then '2026-02-11T08:03:22.110Z' end,
                'date_of_death', case when person.number %% 200 = 33 then '2026-03-01' end
            ))
        from (
            select
                pg_temp.invented_id('supervisor', number) as uuid,
                '801' as shortcode_ending,
                number,
                jsonb_build_object(
                    '_id', pg_temp.invented_id('site', number / %(supervisors)s)
                ) as parent
            from generate_series(0, %(site_count)s * %(supervisors)s - 1) as number
            union all
            select
                pg_temp.invented_id('chw', number),
                '802',
                number,
                pg_temp.area_link(number, %(areas)s)
            from generate_series(0, %(area_count)s - 1) as number
            union all
            select
                pg_temp.invented_id('patient', number),
                '803',
                number,
                jsonb_build_object(
                    '_id', pg_temp.invented_id(
                        'household',
                        number / %(patients)s * %(households)s + number %% %(households)s
                    ),
                    'parent', pg_temp.area_link(number / %(patients)s, %(areas)s)
                )
            from generate_series(0, %(area_count)s * %(patients)s - 1) as number
        ) as person
        """,
        shape.numbers(),
    )


def _reports(connection: psycopg.Connection, shape: Shape, form: str) -> None:
    """The reports of one form: one in ten by shortcode alone, one in 200 about nobody known,
    one in 100 deleted."""
    verified = shape.reports["missed_appointment_verification"]
    about_traces = {"trace": 0, **FIRST_ANSWERED, "visit_verification": verified}
    connection.execute(
        """
        insert into invented (uuid, doc, is_deleted)
        select
            report.uuid,
            jsonb_build_object(
                '_id', report.uuid,
                '_rev', '2-' || md5(report.uuid),
                'type', 'data_record',
                'form', %(form)s::text,
                'content_type', 'xml',
                'reported_date', pg_temp.milliseconds(report.reported_at),
                'from', '+2659' || lpad(report.area::text, 8, '0'),
                'contact', jsonb_build_object(
                    '_id', pg_temp.invented_id('chw', report.area),
                    'parent', pg_temp.area_link(report.area, %(areas)s)
                ),
                'fields', jsonb_build_object(
                    'inputs', jsonb_build_object(
                        'source', 'user',
                        'contact', jsonb_build_object('name', 'Person ' || report.patient)
                    ),
                    'patient_id', report.patient || '803',
                    'patient_name', 'Person ' || report.patient
                )
                || case
                    when report.number %% 200 = 7 then jsonb_build_object(
                        'patient_id', '00' || report.number
                    )
                    when report.number %% 10 = 3 then '{}'
                    else jsonb_build_object(
                        'patient_uuid', pg_temp.invented_id('patient', report.patient)
                    )
                end
                || case %(form)s::text
                    when 'trace' then jsonb_build_object(
                        'trace_details', jsonb_build_object(
                            'trace_reasons',
                            case report.nth %% 10 when 9 then 'lab_results' else 'art ncd' end,
                            'missed_appointment_date',
                            (report.reported_at - interval '20 days')::date
                        )
                    )
                    when 'missed_appointment_verification' then jsonb_build_object(
                        'inputs', jsonb_build_object(
                            'source', 'task',
                            'task_id',
                            pg_temp.invented_id('trace', report.area * %(traces)s + report.trace)
                            || '~verify~verify-missed-appointment'
                        ),
                        'round', '1',
                        'verified_by', 'supervisor_' || report.area / %(areas)s * %(supervisors)s,
                        'verification', jsonb_build_object(
                            'outcome',
                            case report.nth %% 3 when 0 then 'visited' else 'not_visited' end
                        )
                    )
                    else '{}'
                end
                || %(answers)s
            )
            -- who may verify does
            || case %(form)s::text
                when 'missed_appointment_verification' then jsonb_build_object(
                    'contact', jsonb_build_object(
                        '_id', pg_temp.invented_id(
                            'supervisor', report.area / %(areas)s * %(supervisors)s
                        )
                    )
                )
                else '{}'
            end,
            report.number %% 100 = 51
        from (
            select
                pg_temp.invented_id(%(form)s, area * %(count)s + nth) as uuid,
                area * %(count)s + nth as number,
                area,
                nth,
                nth + %(first_trace)s as trace,
                area * %(patients)s + case
                    when %(first_trace)s is null then (nth * 29 + area) %% %(patients)s
                    else (nth + %(first_trace)s) %% %(patients)s
                end as patient,
                now() - interval '1 hour' - interval '1 day' * case
                    when %(first_trace)s is null then (nth * 53 + area * 7) %% 730
                    else greatest(
                        pg_temp.trace_age(area, nth + %(first_trace)s, %(trace_days)s)
                        - case %(form)s when 'trace' then 0 else 1 + nth %% 2 end,
                        0
                    )
                end + interval '1 minute' * case %(form)s when 'trace' then 0 else 30 end
                as reported_at
            from generate_series(0, %(area_count)s - 1) as area
            cross join generate_series(0, %(count)s - 1) as nth
            where
                %(form)s <> 'trace'
                or nth * %(areas)s + area %% %(areas)s
                < %(count)s * %(areas)s - area / %(areas)s * 37 %% (%(unevenness)s + 1)
        ) as report
        """,
        {
            **shape.numbers(),
            "form": form,
            "count": Int8(shape.reports[form]),
            "first_trace": about_traces.get(form),
            "answers": json.dumps(
                {f"question_{number}": "as asked before" * 2 for number in range(QUESTIONS)}
            ),
        },
    )


def _chw_tasks(connection: psycopg.Connection, shape: Shape) -> None:
    """Of ten seven completed, two failed, and one that may still be open."""
    connection.execute(
        """
        insert into invented (uuid, doc)
        select
            task.uuid,
            jsonb_build_object(
                '_id', task.uuid,
                'type', 'task',
                'authoredOn', pg_temp.milliseconds(task.authored_at),
                'user', task.user_uuid,
                'requester', task.patient_uuid,
                'owner', task.patient_uuid,
                'state', task.state,
                'stateHistory', jsonb_build_array(
                    jsonb_build_object(
                        'state', 'Draft',
                        'timestamp', pg_temp.milliseconds(task.authored_at)
                    ),
                    jsonb_build_object(
                        'state', task.state,
                        'timestamp', pg_temp.milliseconds(task.authored_at + interval '3 days')
                    )
                ),
                'emission', jsonb_build_object(
                    '_id', task.emission_id,
                    'title', 'task.household_visit.title',
                    'icon', 'icon-followup',
                    'deleted', false,
                    'resolved', task.state = 'Completed',
                    'contact', jsonb_build_object('name', 'Person ' || task.patient),
                    'dueDate', task.authored_at::date + 3,
                    'startDate', task.authored_at::date + 2,
                    'endDate', task.authored_at::date + 10,
                    'forId', task.patient_uuid,
                    'actions', jsonb_build_array(jsonb_build_object(
                        'type', 'report', 'form', 'household_visit', 'label', 'Follow up'
                    ))
                )
            )
        from (
            select
                user_uuid || '~' || emission_id as emission_of_user,
                'task~' || user_uuid || '~' || emission_id || '~'
                || pg_temp.milliseconds(authored_at) as uuid,
                numbered.*
            from (
                select
                    'org.couchdb.user:chw_' || area as user_uuid,
                    pg_temp.invented_id(
                        'household_visit', area * %(visits)s + nth %% %(visits)s
                    ) || '~visit-' || nth / %(visits)s || '~follow-up' as emission_id,
                    area * %(patients)s + nth %% %(patients)s as patient,
                    pg_temp.invented_id(
                        'patient', area * %(patients)s + nth %% %(patients)s
                    ) as patient_uuid,
                    (array['Completed', 'Failed', 'Ready'])[
                        case when nth %% 10 < 7 then 1 when nth %% 10 < 9 then 2 else 3 end
                    ] as state,
                    now() - interval '1 day' * ((nth * 11 + area * 5) %% 365) as authored_at
                from generate_series(0, %(area_count)s - 1) as area
                cross join generate_series(0, %(chw_tasks)s - 1) as nth
            ) as numbered
        ) as task
        """,
        shape.numbers(),
    )


def _targets(connection: psycopg.Connection, shape: Shape) -> None:
    connection.execute(
        """
        insert into invented (uuid, doc)
        select
            'target~' || target.period || '~' || target.chw_uuid || '~' || target.user_uuid,
            jsonb_build_object(
                'type', 'target',
                'user', target.user_uuid,
                'owner', target.chw_uuid,
                'reporting_period', target.period,
                'updated_date', pg_temp.milliseconds(date_trunc('day', now())),
                'targets', jsonb_build_array(
                    jsonb_build_object(
                        'id', 'households-visited',
                        'value', jsonb_build_object('pass', 14, 'total', 24, 'percent', 58)
                    ),
                    jsonb_build_object(
                        'id', 'traces-done',
                        'value', jsonb_build_object('pass', target.area %% 15, 'total', 14)
                    )
                )
            )
        from (
            select
                area,
                to_char(now() - interval '1 month' * month, 'YYYY-MM') as period,
                pg_temp.invented_id('chw', area) as chw_uuid,
                'org.couchdb.user:chw_' || area as user_uuid
            from generate_series(0, %(area_count)s - 1) as area
            cross join generate_series(0, %(targets)s - 1) as month
        ) as target
        """,
        shape.numbers(),
    )


def _users(connection: psycopg.Connection, shape: Shape) -> None:
    connection.execute(
        """
        insert into invented (uuid, doc)
        select
            'org.couchdb.user:' || account.name,
            jsonb_build_object(
                'type', 'user-settings',
                'name', account.name,
                'roles', account.roles,
                'facility_id', jsonb_build_array(account.facility_uuid),
                'contact_id', account.contact_uuid,
                'known', true
            )
        from (
            select
                'supervisor_' || number as name,
                '["site_supervisor", "mm-online"]'::jsonb as roles,
                pg_temp.invented_id('site', number / %(supervisors)s) as facility_uuid,
                pg_temp.invented_id('supervisor', number) as contact_uuid
            from generate_series(0, %(site_count)s * %(supervisors)s - 1) as number
            union all
            select
                'chw_' || number,
                '["chw"]',
                pg_temp.invented_id('area', number),
                pg_temp.invented_id('chw', number)
            from generate_series(0, %(area_count)s - 1) as number
        ) as account
        """,
        shape.numbers(),
    )


def _land(connection: psycopg.Connection) -> int:
    """In no order of kind or place, as a feed has it."""
    return connection.execute(
        """
        insert into v1.couchdb (saved_timestamp, _id, _deleted, source, doc, last_content)
        select
            now() at time zone 'UTC',
            invented.uuid,
            invented.is_deleted,
            %(source)s,
            case
                when invented.is_deleted
                    then jsonb_build_object('_id', invented.uuid, '_deleted', true)
                else invented.doc
            end,
            case when invented.is_deleted then invented.doc end
        from invented
        order by md5(invented.uuid)
        """,
        {"source": SOURCE},
    ).rowcount


def change(connection: psycopg.Connection, documents: int, seed: float) -> None:
    """Half are edits of what is there, whatever it is; half new reports and task documents."""
    with connection.transaction():
        connection.execute("select setseed(%s)", [seed])
        connection.execute(
            """
            create temporary table drawn on commit drop as
            select couchdb._id, row_number() over () as place
            from (
                select (random() * highest.number)::bigint as number
                from generate_series(1, %(documents)s * 4)
                cross join (select max(landed_number) as number from v1.couchdb) as highest
            ) as ticket
            inner join v1.couchdb
                on couchdb.source = %(source)s
                and couchdb.landed_number = ticket.number
                and not couchdb._deleted
            """,
            {"documents": documents, "source": SOURCE},
        )
        half = {"half": documents // 2, "source": SOURCE}
        connection.execute(
            """
            insert into v1.couchdb (saved_timestamp, _id, _deleted, source, doc)
            select
                now() at time zone 'UTC',
                couchdb._id || '-' || md5(random()::text),
                false,
                couchdb.source,
                couchdb.doc || jsonb_build_object(
                    'reported_date', (extract(epoch from now()) * 1000)::bigint
                )
            from v1.couchdb
            inner join drawn
                on couchdb._id = drawn._id
            where
                couchdb.source = %(source)s
                and couchdb.doc ->> 'type' in ('data_record', 'task')
            order by drawn.place
            limit %(half)s
            """,
            half,
        )
        connection.execute(
            """
            update v1.couchdb
            set doc = couchdb.doc || '{"edited": true}',
                saved_timestamp = now() at time zone 'UTC',
                landed_number = nextval('v1.couchdb_landed_number')
            where
                couchdb.source = %(source)s
                and couchdb._id in (select _id from drawn order by place desc limit %(half)s)
            """,
            half,
        )
