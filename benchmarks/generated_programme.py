"""A programme of any size, generated and landed as the sync would have landed it.

Shares are those of a programme some years old: a quarter contacts, nine twentieths reports of
twelve forms, a quarter task documents of phones. The same shape gives the same documents, but for
their days, which are counted back from now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.servers import SOURCE
from pipeline.database import now
from pipeline.tasks import run as tasks_run
from testbed.invented_programme import cht_configuration

Document = dict[str, Any]

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
ANSWERS = {f"question_{number}": "as asked before" * 2 for number in range(18)}
STATES = ("Completed",) * 7 + ("Failed",) * 2 + ("Ready",)


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
    unevenness: int = 0  # the areas of a site have up to so many traces less, by site

    @classmethod
    def of(cls, documents: int) -> "Shape":
        """The usual shares; a site with its ten areas comes to 4,005 documents."""
        return cls(sites=max(documents // 4_000, 1))

    def first_trace(self, form: str) -> int | None:
        """The index of the trace, among an area's, that the first report of a form is about; the
        second report is about the next. None where a form is not about traces.
        """
        return {
            "trace": 0,
            "missed_appointment_verification": 0,
            "trace_follow_up": 0,
            "visit_verification": self.reports["missed_appointment_verification"],
        }.get(form)


def write(connection: psycopg.Connection, shape: Shape) -> int:
    """Lands the programme and stores the task definitions as shipped; returns how many documents.

    `connection` commits by itself.
    """
    with connection.transaction():
        moment = now(connection)
        _copy(connection, Programme(shape, moment))
        count = _land(connection)
        tasks_run.store_definitions(connection, TASKS.read_text(), TASKS.name, moment)
    return count


def _copy(connection: psycopg.Connection, programme: "Programme") -> None:
    connection.execute("set local work_mem = '512MB'")
    connection.execute("""
        create temporary table invented (uuid text, doc jsonb, is_deleted boolean)
        on commit drop
    """)
    with connection.cursor().copy("copy invented from stdin") as copy:
        for document, is_deleted in programme.documents():
            text = msgspec.json.encode(document).decode().replace("\\", "\\\\")
            copy.write(f"{document['_id']}\t{text}\t{is_deleted}\n")


class Programme:
    """The documents. Sites, areas, people and reports have numbers, from which all else follows."""

    def __init__(self, shape: Shape, moment: datetime) -> None:
        self._shape = shape
        self._moment = moment.astimezone(UTC)

    def documents(self) -> Iterator[tuple[Document, bool]]:
        """Each with whether it was deleted, as one in a hundred reports was."""
        living = (self._contacts, self._chw_tasks, self._targets, self._users)
        yield from ((document, False) for document in cht_configuration.documents())
        yield from ((document, False) for kind in living for document in kind())
        for form, count in self._shape.reports.items():
            for area, nth in self._reports_of(form, count):
                number = area * count + nth
                yield self._report(form, number, area, nth), number % 100 == 51

    @property
    def _areas(self) -> range:
        return range(self._shape.sites * self._shape.areas)

    @property
    def _supervisors(self) -> range:
        return range(self._shape.sites * self._shape.supervisors)

    def _area_link(self, area: int) -> Document:
        return {"_id": id_of("area", area), "parent": {"_id": self._site_of(area)}}

    def _site_of(self, area: int) -> str:
        return id_of("site", area // self._shape.areas)

    def _contacts(self) -> Iterator[Document]:
        shape = self._shape
        for site in range(shape.sites):
            supervisor = id_of("supervisor", site * shape.supervisors)
            yield _place("site", site, "901") | {"contact": {"_id": supervisor}}
        for number in self._supervisors:
            site_link = {"_id": id_of("site", number // shape.supervisors)}
            yield _person("supervisor", number, "801", site_link)
        for area in self._areas:
            link, contact = self._area_link(area), {"_id": id_of("chw", area)}
            yield _place("area", area, "902") | {"contact": contact, "parent": link["parent"]}
            yield _person("chw", area, "802", link)
            for number in _numbers(area, shape.households):
                yield _place("household", number, "903") | {"parent": link}
            for number in _numbers(area, shape.patients):
                household = id_of("household", area * shape.households + number % shape.households)
                yield _person("patient", number, "803", {"_id": household, "parent": link})

    def _reports_of(self, form: str, count: int) -> Iterator[tuple[int, int]]:
        """Pairs of area and the report's index in it; of traces, uneven sites have fewer."""
        areas = self._shape.areas
        for area in self._areas:
            site = area // areas
            fewer = site * 37 % (self._shape.unevenness + 1) if form == "trace" else 0
            for nth in range(count):
                if nth * areas + area % areas < count * areas - fewer:
                    yield area, nth

    def _report(self, form: str, number: int, area: int, nth: int) -> Document:
        first_trace = self._shape.first_trace(form)
        about = nth * 29 + area if first_trace is None else nth + first_trace
        patient = area * self._shape.patients + about % self._shape.patients
        reported = self._reported(form, area, nth, first_trace)
        report: Document = {
            "_id": (uuid := id_of(form, number)),
            "_rev": f"2-{md5(uuid.encode(), usedforsecurity=False).hexdigest()}",
            "type": "data_record",
            "form": form,
            "content_type": "xml",
            "reported_date": _milliseconds(reported),
            "from": f"+2659{area:08}",
            "contact": {"_id": id_of("chw", area), "parent": self._area_link(area)},
            "fields": {
                "inputs": {"source": "user", "contact": {"name": f"Person {patient}"}},
                **_subject(number, patient),
                **ANSWERS,
            },
        }
        if form == "trace":
            report["fields"]["trace_details"] = {
                "trace_reasons": "lab_results" if nth % 10 == 9 else "art ncd",
                "missed_appointment_date": (reported - timedelta(days=20)).date().isoformat(),
            }
        if form == "missed_appointment_verification":
            self._verify(report, area, nth)
        return report

    def _reported(self, form: str, area: int, nth: int, first_trace: int | None) -> datetime:
        """Answers come a day or two after the trace that they are about."""
        if first_trace is None:
            age = (nth * 53 + area * 7) % 730
        else:
            age = ((nth + first_trace) * 37 + area * 13) % self._shape.trace_days
            age = max(age - (0 if form == "trace" else 1 + nth % 2), 0)
        minutes = 60 if form == "trace" else 30
        return self._moment - timedelta(days=age, minutes=minutes)

    def _verify(self, report: Document, area: int, nth: int) -> None:
        """Turns a report into the answer of the site's first supervisor to the area's nth trace."""
        supervisor = area // self._shape.areas * self._shape.supervisors
        trace = id_of("trace", area * self._shape.reports["trace"] + nth)
        report["contact"] = {"_id": id_of("supervisor", supervisor)}
        report["fields"] |= {
            "inputs": {"source": "task", "task_id": f"{trace}~verify~verify-missed-appointment"},
            "round": "1",
            "verified_by": f"supervisor_{supervisor}",
            "verification": {"outcome": "not_visited" if nth % 3 else "visited"},
        }

    def _chw_tasks(self) -> Iterator[Document]:
        """Of ten seven completed, two failed, and one that may still be open."""
        visits = self._shape.reports["household_visit"]
        for area in self._areas:
            for nth in range(self._shape.chw_tasks):
                visit = id_of("household_visit", area * visits + nth % visits)
                yield _chw_task(
                    f"org.couchdb.user:chw_{area}",
                    f"{visit}~visit-{nth // visits}~follow-up",
                    area * self._shape.patients + nth % self._shape.patients,
                    STATES[nth % 10],
                    self._moment - timedelta(days=(nth * 11 + area * 5) % 365),
                )

    def _targets(self) -> Iterator[Document]:
        today = self._moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for area in self._areas:
            for month in range(self._shape.targets):
                yield _target(area, _month_before(today.date(), month), _milliseconds(today))

    def _users(self) -> Iterator[Document]:
        for number in self._supervisors:
            site = id_of("site", number // self._shape.supervisors)
            roles = ["site_supervisor", "mm-online"]
            yield _user(f"supervisor_{number}", roles, site, id_of("supervisor", number))
        for area in self._areas:
            yield _user(f"chw_{area}", ["chw"], id_of("area", area), id_of("chw", area))


@lru_cache(maxsize=100_000)
def id_of(kind: str, number: int) -> str:
    """A uuid, the same as PostgreSQL's `md5(kind || number)::uuid`."""
    digits = md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _numbers(area: int, count: int) -> range:
    return range(area * count, (area + 1) * count)


def _place(kind: str, number: int, shortcode_ending: str) -> Document:
    contact_type = "chw_area" if kind == "area" else kind
    return {
        "_id": id_of(kind, number),
        "type": "contact",
        "contact_type": contact_type,
        "name": f"{contact_type} {number}",
        "place_id": f"{number}{shortcode_ending}",
        "reported_date": 1_700_000_000_000 + number,
    }


def _person(kind: str, number: int, shortcode_ending: str, parent: Document) -> Document:
    """One in a hundred is muted, one in 200 dead."""
    person: Document = {
        "_id": id_of(kind, number),
        "type": "contact",
        "contact_type": "person",
        "name": f"Person {number}",
        "patient_id": f"{number}{shortcode_ending}",
        "phone": f"+2659{number % 10**8:08}",
        "sex": "male" if number % 2 else "female",
        "date_of_birth": (date(1950, 1, 1) + timedelta(days=number * 7 % 25_000)).isoformat(),
        "reported_date": 1_700_000_000_000 + number,
        "parent": parent,
    }
    if number % 100 == 17:
        person["muted"] = "2026-02-11T08:03:22.110Z"
    if number % 200 == 33:
        person["date_of_death"] = "2026-03-01"
    return person


def _subject(number: int, patient: int) -> Document:
    """One in ten reports has the shortcode alone, one in 200 an unknown patient."""
    subject: Document = {"patient_id": f"{patient}803", "patient_name": f"Person {patient}"}
    if number % 200 == 7:
        return subject | {"patient_id": f"00{number}"}
    if number % 10 == 3:
        return subject
    return subject | {"patient_uuid": id_of("patient", patient)}


def _chw_task(user: str, emission: str, patient: int, state: str, authored: datetime) -> Document:
    contact, at = id_of("patient", patient), _milliseconds(authored)
    later = _milliseconds(authored + timedelta(days=3))
    start, due, end = (authored.date() + timedelta(days=days) for days in (2, 3, 10))
    return {
        "_id": f"task~{user}~{emission}~{at}",
        "type": "task",
        "authoredOn": at,
        "user": user,
        "requester": contact,
        "owner": contact,
        "state": state,
        "stateHistory": [
            {"state": "Draft", "timestamp": at},
            {"state": state, "timestamp": later},
        ],
        "emission": {
            "_id": emission,
            "title": "task.household_visit.title",
            "icon": "icon-followup",
            "deleted": False,
            "resolved": state == "Completed",
            "contact": {"name": f"Person {patient}"},
            "startDate": start.isoformat(),
            "dueDate": due.isoformat(),
            "endDate": end.isoformat(),
            "forId": contact,
            "actions": [{"type": "report", "form": "household_visit", "label": "Follow up"}],
        },
    }


def _target(area: int, period: str, updated: int) -> Document:
    user, chw = f"org.couchdb.user:chw_{area}", id_of("chw", area)
    visited = {"pass": 14, "total": 24, "percent": 58}
    return {
        "_id": f"target~{period}~{chw}~{user}",
        "type": "target",
        "user": user,
        "owner": chw,
        "reporting_period": period,
        "updated_date": updated,
        "targets": [
            {"id": "households-visited", "value": visited},
            {"id": "traces-done", "value": {"pass": area % 15, "total": 14}},
        ],
    }


def _user(name: str, roles: list[str], facility: str, contact: str) -> Document:
    return {
        "_id": f"org.couchdb.user:{name}",
        "type": "user-settings",
        "name": name,
        "roles": roles,
        "facility_id": [facility],
        "contact_id": contact,
        "known": True,
    }


def _month_before(day: date, months: int) -> str:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return f"{year}-{month + 1:02}"


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _land(connection: psycopg.Connection) -> int:
    """In no particular order, as in a feed."""
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
    """Half are edits of any documents, half new reports and task documents."""
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
