"""Why a patient is, or is not, on the list, in sentences. Pure."""

from collections.abc import Iterator, Sequence

from pipeline.worklist.patients import MOST, Patient, Report
from pipeline.worklist.task_explanation import Considered, moment, refusals


def choose(patients: Sequence[Patient], what: str) -> list[str]:
    """The contacts to choose from."""
    return [
        f"Several contacts have {what}. Ask for one of them by its UUID:",
        *(f"  {patient.patient_uuid}: {_who(patient)}" for patient in patients[:MOST]),
        *(
            ["There are more: ask for a number, or give more of the name."]
            if len(patients) > MOST
            else []
        ),
    ]


def explain_patient(
    patient: Patient, task_count: int, reports: Sequence[Report], contact: Sequence[Considered]
) -> list[str]:
    """The patient, and why reports about them, or the contact itself, have no task.

    `contact` is the patient's own document as each definition sees it.
    """
    listed = reports[:MOST]
    own = [report for report in listed if report.patient_uuid == patient.patient_uuid]
    return [
        f"{_who(patient)}: contact {patient.patient_uuid}.",
        *(() if task_count else _without_task(patient, own, contact)),
        *explain_reports([report for report in own if report.is_form_asked]),
        *(
            _about_another_patient(report, patient.patient_id)
            for report in listed
            if report.patient_uuid != patient.patient_uuid
        ),
        *_more(reports),
    ]


def _who(patient: Patient) -> str:
    number = f", number {patient.patient_id}" if patient.patient_id else ""
    place = f", in {patient.place_name or 'a place without a name'} ({patient.place_uuid})"
    return f"{patient.patient_name or 'No name'}{number}{place if patient.place_uuid else ''}"


def _without_task(
    patient: Patient, own: Sequence[Report], contact: Sequence[Considered]
) -> Iterator[str]:
    yield "This contact has no task."
    if not own:
        yield "There is no report about it."
    elif not any(report.is_form_asked for report in own):
        forms = sorted({report.form for report in own})
        yield f"No definition applies to the reports about it (forms: {', '.join(forms)})."
    yield from refusals([one for one in contact if one.is_type_named])
    if not patient.supervisors:
        yield (
            "No supervisor has a place above it, so only programme-wide roles would see a task "
            "about it."
        )


def explain_reports(reports: Sequence[Report]) -> list[str]:
    """Why these have no task; those that have one are left out."""
    return [
        sentence
        for report in reports
        if not report.has_task
        for sentence in (
            f"{_report(report)} has no task.",
            *refusals([one for one in report.considered if one.is_type_named]),
        )
    ]


def _about_another_patient(report: Report, number: str | None) -> str:
    if report.is_ambiguous:
        return (
            f"{_report(report)} gives only the number {number}, which several contacts have, "
            "so it is assigned to none of them."
        )
    if report.patient_uuid is None:
        return f"{_report(report)} gives the number {number}, but its patient is not known."
    return f"{_report(report)} gives the number {number}, but is about {report.patient_uuid}."


def explain_number(number: str, reports: Sequence[Report]) -> list[str]:
    """What the reports that give a number are about, where it is not the number of one contact."""
    listed = reports[:MOST]
    unknown = [report for report in listed if report.patient_uuid is None]
    return [
        *explain_reports([report for report in unknown if report.is_form_asked]),
        *(
            f"{_report(report)} gives the number {number}; no definition applies to its form."
            for report in unknown
            if not report.is_form_asked
        ),
        *(_about_another_patient(report, number) for report in listed if report.patient_uuid),
        *_more(reports),
    ]


def _more(reports: Sequence[Report]) -> list[str]:
    return ["There are more reports, which are not listed."] if len(reports) > MOST else []


def _report(report: Report) -> str:
    when = f", from {moment(report.reported_at, report.zone)}," if report.reported_at else ""
    return f"The report {report.report_uuid} of form {report.form}{when}"
