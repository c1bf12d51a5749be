"""Why a patient is, or is not, on the list, in plain sentences. Pure."""

from collections.abc import Iterator, Sequence

from pipeline.worklist.patients import MOST, Patient, Report
from pipeline.worklist.task_explanation import Considered, moment, refusals


def choose(patients: Sequence[Patient], what: str) -> list[str]:
    """The contacts of whom one is meant."""
    return [
        f"Several contacts have {what}. Give the uuid of one of them:",
        *(f"  {patient.patient_uuid}: {_who(patient)}" for patient in patients[:MOST]),
        *(
            ["There are more: give the number, or more of the name."]
            if len(patients) > MOST
            else []
        ),
    ]


def explain_patient(
    patient: Patient, task_count: int, reports: Sequence[Report], contact: Sequence[Considered]
) -> list[str]:
    """Whom the tasks are about that are explained after it, and what gave none.

    `contact` is the patient's own document beside each definition.
    """
    told = reports[:MOST]
    own = [report for report in told if report.patient_uuid == patient.patient_uuid]
    return [
        f"{_who(patient)}: the contact {patient.patient_uuid}.",
        *(() if task_count else _without_task(patient, own, contact)),
        *explain_reports([report for report in own if report.is_form_asked]),
        *(
            _of_somebody_else(report, patient.patient_id)
            for report in told
            if report.patient_uuid != patient.patient_uuid
        ),
        *_more(reports),
    ]


def _who(patient: Patient) -> str:
    number = f", number {patient.patient_id}" if patient.patient_id else ""
    place = f", in {patient.place_name or 'a place'} ({patient.place_uuid})"
    return (
        f"{patient.patient_name or 'Without a name'}{number}{place if patient.place_uuid else ''}"
    )


def _without_task(
    patient: Patient, own: Sequence[Report], contact: Sequence[Considered]
) -> Iterator[str]:
    yield "No task is about this contact."
    if not own:
        yield "No report about this contact has landed."
    elif not any(report.is_form_asked for report in own):
        forms = sorted({report.form for report in own})
        yield (
            "No definition applies to the reports about this contact, which have the form "
            f"{', '.join(forms)}."
        )
    yield from refusals([one for one in contact if one.is_type_named])
    if not patient.supervisors:
        yield (
            "No supervisor has a place above this contact, so only programme-wide roles "
            "would see a task about it."
        )


def explain_reports(reports: Sequence[Report]) -> list[str]:
    """Why these gave no task; nothing of those that gave one."""
    return [
        sentence
        for report in reports
        if not report.has_task
        for sentence in (
            f"{_report(report)} gave no task.",
            *refusals([one for one in report.considered if one.is_type_named]),
        )
    ]


def _of_somebody_else(report: Report, number: str | None) -> str:
    if report.is_ambiguous:
        return (
            f"{_report(report)} names only the number {number}, which several contacts have, "
            "so it counts for none of them."
        )
    if report.patient_uuid is None:
        return f"{_report(report)} names the number {number}, which no contact has."
    return f"{_report(report)} names the number {number}, but is about {report.patient_uuid}."


def explain_number(number: str, reports: Sequence[Report]) -> list[str]:
    """Of a number that is not one contact's alone: what the reports that name it are about."""
    told = reports[:MOST]
    unknown = [report for report in told if report.patient_uuid is None]
    return [
        *explain_reports([report for report in unknown if report.is_form_asked]),
        *(
            f"{_report(report)} names the number {number}; no definition applies to its form."
            for report in unknown
            if not report.is_form_asked
        ),
        *(_of_somebody_else(report, number) for report in told if report.patient_uuid),
        *_more(reports),
    ]


def _more(reports: Sequence[Report]) -> list[str]:
    return ["There are more reports; only the latest are listed."] if len(reports) > MOST else []


def _report(report: Report) -> str:
    when = f", of {moment(report.reported_at, report.zone)}," if report.reported_at else ""
    return f"The report {report.report_uuid} of form {report.form}{when}"
