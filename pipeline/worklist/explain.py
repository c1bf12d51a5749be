"""Explains what a person asks for: a task, a document, or a patient by number or name."""

from dataclasses import replace

import psycopg

from pipeline.errors import Refused
from pipeline.worklist import explanation_facts, patient_explanation, patients
from pipeline.worklist.patients import MOST, Patient, Report
from pipeline.worklist.task_explanation import explain, explain_absence

Paragraphs = list[list[str]]


def explanation(connection: psycopg.Connection, sought: str) -> Paragraphs:
    """Of what is found first: a contact by UUID, a task by id or UUID, the tasks of a document, the
    document, a patient by number, by name. Raises Refused if nothing is found.
    """
    sought = sought.strip()
    if patient := patients.with_uuid(connection, sought):
        return _of_patient(connection, patient)
    if tasks := explanation_facts.of_tasks(connection, sought):
        return [explain(task) for task in tasks]
    if considered := explanation_facts.of_document(connection, sought):
        return [explain_absence(considered)]
    found = sought and (_of_number(connection, sought) or _of_name(connection, sought))
    if not found:
        raise Refused(
            "No task, document or patient has this id, number or name as of the last refresh. It "
            "may not have landed yet, may have been purged in the CHT, or could not be stored "
            "(`worklist status` counts those)."
        )
    return found


def _of_patient(connection: psycopg.Connection, patient: Patient) -> Paragraphs:
    tasks = explanation_facts.of_patient(connection, patient.patient_uuid)
    reports = _reports(connection, patient.patient_uuid, patient.patient_id)
    contact = explanation_facts.of_document(connection, patient.patient_uuid)
    return [
        patient_explanation.explain_patient(patient, len(tasks), reports, contact),
        *map(explain, tasks),
    ]


def _of_number(connection: psycopg.Connection, number: str) -> Paragraphs:
    found = patients.with_number(connection, number)
    if len(found) == 1:
        return _of_patient(connection, found[0])
    reports = _reports(connection, None, number)
    about_reports = patient_explanation.explain_number(number, reports)
    return [
        *_several(found, f"the number {number}"),
        *_of_unknown(connection, patients.unknown_with_number(connection, number), "number"),
        *([about_reports] if about_reports else []),
    ]


def _of_name(connection: psycopg.Connection, name: str) -> Paragraphs:
    found = patients.with_name(connection, name)
    return [
        *(_of_patient(connection, found[0]) if len(found) == 1 else _several(found, "this name")),
        *_of_unknown(connection, patients.unknown_with_name(connection, name), "name"),
    ]


def _several(found: list[Patient], what: str) -> Paragraphs:
    return [patient_explanation.choose(found, what)] if found else []


def _of_unknown(connection: psycopg.Connection, task_ids: list[str], word: str) -> Paragraphs:
    if not task_ids:
        return []
    latest = " (the latest ones)" if len(task_ids) > MOST else ""
    return [
        [f"Tasks whose patient is not known and whose report contains this {word}{latest}:"],
        *(
            explain(task)
            for one in task_ids[:MOST]
            for task in explanation_facts.of_tasks(connection, one)
        ),
    ]


def _reports(
    connection: psycopg.Connection, patient_uuid: str | None, number: str | None
) -> list[Report]:
    """Those that could have a task and have none come with what each definition says."""
    return [
        replace(report, considered=explanation_facts.of_document(connection, report.report_uuid))
        if report.is_form_asked and not report.has_task
        else report
        for report in patients.reports(connection, patient_uuid, number)
    ]
