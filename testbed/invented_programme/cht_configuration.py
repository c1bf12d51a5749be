"""The invented programme's configuration documents: settings, forms, translations."""

from typing import Any

Document = dict[str, Any]

SUPERVISOR, OFFICER, CHW = "site_supervisor", "program_officer", "chw"
SERVICE, EMR, ONLINE = "worklist_service", "emr_integration", "mm-online"

FORMS = {
    "trace": "Missed appointment",
    "visit_verification": "Visit verification",
    "trace_follow_up": "Trace follow-up",
    "missed_appointment_verification": "Missed appointment verification",
    "household_visit": "Household visit",
}
TRANSLATIONS = {
    "usertype.site_supervisor": "Site supervisor",
    "usertype.program_officer": "Programme officer",
    "usertype.worklist_service": "Worklist service",
    "usertype.emr_integration": "EMR integration",
    "usertype.chw": "Community health worker",
    "contact.type.site": "Health centre",
    "contact.type.chw_area": "CHW area",
    "contact.type.household": "Household",
    "contact.type.person": "Person",
    "task.trace_follow_up.title": "Find the patient",
    "task.household_visit.title": "Visit the household",
    "task.priority.missed": "Missed appointment",
    "targets.households_visited.title": "Households visited",
    "targets.traces_done.title": "Patients traced",
}
PERMISSIONS = {
    "can_create_records": [CHW, EMR, OFFICER, SUPERVISOR, SERVICE],
    "can_edit": [CHW, EMR, OFFICER, SERVICE],
    "can_have_multiple_places": [SUPERVISOR],
    "can_skip_password_change": [CHW, EMR, OFFICER, SUPERVISOR, SERVICE],
    "can_view_contacts": [CHW, OFFICER, SUPERVISOR, SERVICE],
    "can_view_reports": [CHW, OFFICER, SUPERVISOR, SERVICE],
    "can_view_tasks": [CHW],
    "can_view_users": [OFFICER],
}
PARENTS = {
    "site": [],
    "chw_area": ["site"],
    "household": ["chw_area"],
    "person": ["site", "chw_area", "household"],
}


def documents() -> list[Document]:
    return [_settings(), _translations(), *(_form(code, title) for code, title in FORMS.items())]


def _settings() -> Document:
    online = {role: {"name": f"usertype.{role}"} for role in (SUPERVISOR, OFFICER, SERVICE, EMR)}
    return {
        "_id": "settings",
        "settings": {
            "locale": "en",
            "roles": {**online, CHW: {"name": "usertype.chw", "offline": True}},
            "contact_types": [_contact_type(name, parents) for name, parents in PARENTS.items()],
            "permissions": PERMISSIONS,
            "uhc": {"visit_count": {"month_start_date": 1, "visit_count_goal": 0}},
            "tasks": {
                "targets": {
                    "items": [
                        _target("households-visited", "percent", 80),
                        _target("traces-done", "count", 10),
                    ]
                }
            },
        },
    }


def _contact_type(name: str, parents: list[str]) -> Document:
    kind: Document = {"id": name, "name_key": f"contact.type.{name}", "icon": f"icon-{name}"}
    if parents:
        kind["parents"] = parents
    if name == "person":
        kind["person"] = True
    return kind


def _target(name: str, kind: str, goal: int) -> Document:
    key = f"targets.{name.replace('-', '_')}.title"
    return {"id": name, "type": kind, "goal": goal, "translation_key": key}


def _translations() -> Document:
    return {
        "_id": "messages-en",
        "type": "translations",
        "code": "en",
        "name": "English",
        "enabled": True,
        "generic": TRANSLATIONS,
        "custom": {},
    }


def _form(code: str, title: str) -> Document:
    return {
        "_id": f"form:{code}",
        "type": "form",
        "internalId": code,
        "title": title,
        "icon": "icon-followup",
        "context": {"person": True, "place": False},
    }
