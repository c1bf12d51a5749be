"""Every name in a tasks.yml is found, with its kind and its line."""

from pipeline.tasks.unknown_names import Kind, Named, names, unknown
from pipeline.tasks.yaml_lines import read

TEXT = """\
areaType: ward
tasks:
  - name: verify
    appliesTo: scheduled_tasks
    appliesToType: [registration]
    resolvedIf:
      default: true
      newerReport:
        - visit
        - {form: referral, if: '$.fields.attended == "yes"', source: fields.inputs.source_id}
        - all: [{form: delivery}, stillbirth]
    tracing: {forms: [trace_follow_up], outcome: fields.outcome, notFor: [moved]}
    actions:
      - {form: answer}
      - {type: contact, form: person_create}
    assignedTo: {roles: [nurse]}
  - name: households
    appliesTo: contacts
    appliesToType: [household]
    assignedTo: {roles: [nurse]}
"""


def test_every_form_role_and_contact_type_is_found_with_its_line() -> None:
    file = read(TEXT)
    found = [(file.line(one.location), one.kind, one.name) for one in names(file.content)]
    assert sorted(found) == [
        (1, Kind.CONTACT_TYPE, "ward"),
        (5, Kind.FORM, "registration"),
        (9, Kind.FORM, "visit"),
        (10, Kind.FORM, "referral"),
        (11, Kind.FORM, "delivery"),
        (11, Kind.FORM, "stillbirth"),
        (12, Kind.FORM, "trace_follow_up"),
        (14, Kind.FORM, "answer"),
        (16, Kind.ROLE, "nurse"),
        (19, Kind.CONTACT_TYPE, "household"),
        (20, Kind.ROLE, "nurse"),
    ]


def test_a_near_name_of_the_same_kind_is_offered() -> None:
    file = read(TEXT)
    known = {(Kind.ROLE, "visits"), (Kind.FORM, "VISIT"), (Kind.FORM, "visits")}
    for name, instead in (("visit", "VISIT"), ("vissits", "visits"), ("P", None)):
        (problem,) = unknown(file, [Named(Kind.FORM, name, ("areaType",))], known)
        assert problem.line == 1
        assert problem.sentence == (
            f"areaType names the form {name}, which is not in the CHT's data"
            + (f"; did you mean {instead}?" if instead else "")
        )
