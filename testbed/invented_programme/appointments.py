"""The invented programme's reports: missed appointments, visits captured late, patients traced."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from testbed.invented_programme.population import (
    Area,
    Document,
    Site,
    invented_id,
    link,
    milliseconds,
)

REPORTS_OF_FIRST_SITE = 118
REPORTS_OF_OTHERS = (44, 27)
ANSWERED = (9, 4, 2)  # of each site, by a visit that was captured late
TRACED_OF_FIRST_SITE = 5
REASONS = ("art", "art", "ncd", "art ncd", "tb")
NEXT_APPOINTMENT_DAYS = 60
EARLIER_APPOINTMENT_DAYS = 91


class Appointments:
    """Reports of one programme. `traces` holds the missed appointments by site."""

    def __init__(self, now: datetime, draw: Random, sites: list[Site]) -> None:
        self._now = now
        self._draw = draw
        self._sites = sites
        counts = (REPORTS_OF_FIRST_SITE, *REPORTS_OF_OTHERS)
        self.traces = [self._site_traces(number, count) for number, count in enumerate(counts)]

    def documents(self) -> list[Document]:
        reports = [trace for traces in self.traces for trace in traces]
        for site, traces, count in zip(self._sites, self.traces, ANSWERED, strict=True):
            reports += [self._visit(site, trace) for trace in self._early(traces, count)]
        first, traces = self._sites[0], self.traces[0]
        for trace in self._early(traces, ANSWERED[0] + TRACED_OF_FIRST_SITE)[ANSWERED[0] :]:
            reports.append(self._follow_up(_area_of(first, trace), trace))
        return reports

    def _early(self, traces: list[Document], count: int) -> list[Document]:
        """Reports of known patients that are at least two days old."""
        limit = milliseconds(self._now - timedelta(days=2))
        known = [trace for trace in traces if "inputs" in trace["fields"]]
        return [trace for trace in known if trace["reported_date"] < limit][:count]

    def _site_traces(self, number: int, count: int) -> list[Document]:
        site = self._sites[number]
        odd = (self._oddities_of_first, self._oddities_of_second, self._oddities_of_third)[number]
        patients = self._draw.sample(site.patients, count)
        special = odd(site, patients)
        ordinary = [self._trace(site, patient) for patient in patients[len(special) :]]
        return ordinary + special

    def _oddities_of_first(self, site: Site, patients: list[Document]) -> list[Document]:
        """No date; only a shortcode; an unknown patient; a second appointment of one patient."""
        undated, by_shortcode = (self._trace(site, patient) for patient in patients[:2])
        undated["fields"]["trace_details"]["missed_appointment_date"] = ""
        for key in ("inputs", "patient_uuid"):
            del by_shortcode["fields"][key]
        unknown = {**patients[2], "_id": invented_id(self._draw), "patient_id": "00417"}
        earlier = self._trace(site, patients[-1])
        missed = self._now.date() - timedelta(days=EARLIER_APPOINTMENT_DAYS)
        earlier["fields"]["trace_details"]["missed_appointment_date"] = missed.isoformat()
        return [undated, by_shortcode, self._trace(site, unknown), earlier]

    def _oddities_of_second(self, site: Site, patients: list[Document]) -> list[Document]:
        """A patient who died, a muted patient, the uuid where the shortcode belongs."""
        dead, muted, by_uuid = patients[:3]
        dead["date_of_death"] = self._days_ago(25).date().isoformat()
        muted["muted"] = f"{self._days_ago(40).astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        reports = [self._trace(site, patient) for patient in (dead, muted, by_uuid)]
        reports[2]["fields"]["patient_id"] = by_uuid["_id"]
        return reports

    def _oddities_of_third(self, site: Site, patients: list[Document]) -> list[Document]:
        """An impossible date."""
        report = self._trace(site, patients[0])
        report["fields"]["trace_details"]["missed_appointment_date"] = "31/02/2026"
        return [report]

    def _trace(self, site: Site, patient: Document) -> Document:
        """The EMR lists a missed appointment, in the morning of one of the last nine days."""
        days = self._draw.randint(1, 9)
        reported = self._morning(days)
        missed = self._now.date() - timedelta(days=self._draw.randint(max(7, days + 1), 84))
        fields = {
            "inputs": {
                "source": "contact",
                "contact": {"_id": patient["_id"], "name": patient["name"]},
            },
            **_subject(patient),
            "trace_details": {
                "trace_reasons": self._draw.choice(REASONS),
                "missed_appointment_date": missed.isoformat(),
                "visit": "immediately",
                "next_visit": "",
            },
            "meta": {"instanceID": f"uuid:{invented_id(self._draw)}"},
        }
        return self._report("trace", reported, site.supervisor, fields)

    def _visit(self, site: Site, trace: Document) -> Document:
        """The clinic captures late that the patient did come."""
        reported = _moment(trace, self._now) + timedelta(hours=self._draw.randint(3, 40))
        visited = _appointment(trace, reported) + timedelta(days=self._draw.randint(0, 3))
        visit = {
            "visit": trace["fields"]["trace_details"]["trace_reasons"],
            "visit_date": min(visited, reported.date()).isoformat(),
            "next_appointment_date": (
                reported.date() + timedelta(days=NEXT_APPOINTMENT_DAYS)
            ).isoformat(),
        }
        fields = {**_subject_of(trace), "visit_details": visit}
        return self._report("visit_verification", reported, site.supervisor, fields)

    def _follow_up(self, area: Area, trace: Document) -> Document:
        reported = _moment(trace, self._now) + timedelta(hours=self._draw.randint(20, 40))
        found = self._draw.random() < 0.7
        fields = {
            **_subject_of(trace),
            "trace_details": {
                "patient_found": "yes" if found else "no",
                "trace_outcomes": "missed_appointment" if found else "traveled",
                "agreed_to_return": "yes" if found else "",
            },
        }
        return self._report("trace_follow_up", reported, area.worker, fields)

    def _report(
        self, form: str, reported: datetime, sender: Document, fields: dict[str, Any]
    ) -> Document:
        return {
            "_id": invented_id(self._draw),
            "type": "data_record",
            "form": form,
            "content_type": "xml",
            "reported_date": milliseconds(reported),
            "contact": link(sender),
            "from": sender["phone"],
            "hidden_fields": ["meta"],
            "fields": fields,
        }

    def _morning(self, days: int) -> datetime:
        start = self._days_ago(days).replace(hour=6, minute=30, second=0, microsecond=0)
        return start + timedelta(seconds=self._draw.randrange(1800))

    def _days_ago(self, days: int) -> datetime:
        return self._now - timedelta(days=days)


def _subject(patient: Document) -> dict[str, str]:
    return {
        "patient_uuid": patient["_id"],
        "patient_id": patient["patient_id"],
        "patient_name": patient["name"],
    }


def _subject_of(report: Document) -> dict[str, str]:
    keys = ("patient_uuid", "patient_id", "patient_name")
    return {key: report["fields"][key] for key in keys}


def _moment(report: Document, now: datetime) -> datetime:
    return datetime.fromtimestamp(report["reported_date"] / 1000, now.tzinfo)


def _appointment(trace: Document, otherwise: datetime) -> date:
    text = trace["fields"]["trace_details"]["missed_appointment_date"]
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise.date()


def _area_of(site: Site, trace: Document) -> Area:
    uuid = trace["fields"]["patient_uuid"]
    return next(
        (area for area in site.areas if any(one["_id"] == uuid for one in area.patients)),
        site.areas[0],
    )
