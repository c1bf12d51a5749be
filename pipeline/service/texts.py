"""Every word that people read on the pages, by key. One language for now."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

ENGLISH = {
    "app.name": "Worklist",
    "app.skip": "Skip to the list",
    "app.sign_out": "Sign out",
    "app.signed_in_as": "Signed in as {user_name}",
    "app.as_of": "Data of the CHT as of {moment}. Answers given here show at once.",
    "app.as_of_never": "The data of the CHT has not been prepared yet.",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    # signing in
    "sign_in.title": "Sign in",
    "sign_in.lead": "Use your user name and password of the CHT.",
    "sign_in.name": "User name",
    "sign_in.password": "Password",
    "sign_in.button": "Sign in",
    "sign_in.wrong": "User name or password is wrong.",
    "sign_in.throttled": "Too many failed attempts. Wait ten seconds, then try again.",
    "sign_in.password_change": (
        "Your account must choose a new password first. Sign in to the CHT once, then come back."
    ),
    "sign_in.open_cht": "Open the CHT",
    "sign_in.no_password": "No password of your own? Sign in to the CHT, then come back.",
    "sign_in.still_in_cht": "You are still signed in to the CHT in this browser.",
    "sign_in.go_on": "Go on as this user of the CHT",
    "sign_in.cht_session_over": "Your time in the CHT is over. Sign in again.",
    "sign_in.unavailable": (
        "New sign-ins are not possible at the moment, because the CHT does not answer. "
        "Who is signed in already can go on working."
    ),
    # the list
    "list.title": "Missed appointments",
    "list.all_places": "All places",
    "list.progress": "{done} of {asked} verified",
    "list.search": "Find by name, number or phone",
    "list.search_button": "Find",
    "list.search_clear": "Show all",
    "list.more": "Next {count}",
    "list.first": "Back to the start",
    "list.tabs": "Which appointments",
    "list.empty": "There is nothing here.",
    "list.done": "Done: every appointment that is due has an answer.",
    "list.nothing_reported": "No missed appointment has been reported in your places.",
    "list.nobody_found": "Nobody found for “{search}” here.",
    "list.expired_lead": (
        "Their time is over and nobody verified them. They can still be answered."
    ),
    "viewer.online": (
        "This worklist is for users who work online. Your own tasks are in the CHT on your phone. "
        "If that is wrong, ask whoever manages the users of your CHT."
    ),
    "viewer.role": (
        "Your CHT account has no role that a list is made for. "
        "Ask whoever manages the users of your CHT to give it one."
    ),
    "viewer.place": (
        "Your CHT account has no place, so there is no list for it. "
        "Ask whoever manages the users of your CHT to give it one."
    ),
    "viewer.contact": (
        "Your CHT account has no contact of its own, so you can read but not verify. "
        "Ask whoever manages the users of your CHT to give it one."
    ),
    "viewer.reads": "You see every place, and read only.",
    "standing.open": "To verify",
    "standing.verified": "Verified",
    "standing.resolved": "Resolved by another report",
    "standing.expired": "No longer due, not verified",
    "standing.upcoming": "Not yet open",
    "standing.excluded": "Excluded",
    "standing.withdrawn": "Withdrawn",
    # one task
    "task.back": "Back to the list",
    "task.unnamed": "Patient without a name",
    "task.number": "Number",
    "task.phone": "Phone",
    "task.sex_and_age": "Sex and age",
    "task.born": "born {day}",
    "task.area": "CHW area",
    "task.chw": "CHW {name}",
    "task.place": "Household or place",
    "task.facility": "Site",
    "task.appointment": "Missed appointment",
    "task.appointment_of": "Appointment of {day}",
    "task.appointment_unknown": "Day of the appointment unknown",
    "task.days_since.one": "{count} day ago",
    "task.days_since.other": "{count} days ago",
    "task.today": "today",
    "task.missed": "Missed {since}",
    "task.coming": "Appointment {since}",
    "task.days_ahead.one": "in {count} day",
    "task.days_ahead.other": "in {count} days",
    "task.days_left.one": "{count} day left",
    "task.days_left.other": "{count} days left",
    "task.last_day": "Last day",
    "task.reported": "Reported",
    "task.due": "To verify between",
    "task.from_to": "{first} and {last}",
    "task.standing": "Standing",
    "task.history": "Answers",
    "task.no_history": "Nobody has answered yet.",
    "task.resolved": "A report that came in on {moment} shows that the patient came.",
    "task.excluded": "Excluded in the CHT: {reason}.",
    "task.visit_on": "Date of the visit: {day}",
    "task.unknown_user": "somebody",
    "task.by": "by {user_name}, {moment}",
    "sex.male": "Male",
    "sex.female": "Female",
    "age.years.one": "{count} year",
    "age.years.other": "{count} years",
    "age.months.one": "{count} month",
    "age.months.other": "{count} months",
    # answering
    "answer.question": "Did {name} come?",
    "answer.correct": "Correct the answer for {name}",
    "answer.visited": "Visited",
    "answer.not_visited": "Did not visit",
    "answer.visit_date": "Date of the visit (if known)",
    "answer.reason": "Reason (if known)",
    "answer.no_reason": "not known",
    "answer.note": "Note (optional)",
    "answer.save": "Save",
    "answer.cancel": "Cancel",
    "answer.safe": (
        "{name}: {outcome}. The answer of {user_name} is safe and on its way to the CHT."
    ),
    "answer.show": "Show or correct",
    "answer.already": (
        "{name} was already verified by {user_name} at {moment}: {outcome}. "
        "Your answer was not stored."
    ),
    "answer.not_stored": "The answer was not stored.",
    "problem.visit_date_in_future": "The visit cannot be later than today.",
    "problem.visit_date_unreadable": "The date of the visit cannot be read.",
    "problem.reason_unknown": "Choose one of the reasons.",
    "problem.note_too_long": "The note is too long: at most 2,000 characters.",
    "problem.note_unreadable": "The note holds a character that cannot be stored.",
    "problem.outcome_unknown": "Choose “Visited” or “Did not visit”.",
    "problem.back": "Go to the list",
    "reason.transferred_out": "Transferred out",
    "reason.moved": "Moved away",
    "reason.died": "Died",
    "reason.record_error": "Error in the record",
    "reason.other": "Other",
    "reason.deceased": "the patient has died",
    "reason.muted": "the patient is muted",
    "delivery.pending": "On its way to the CHT",
    "delivery.sent": "Handed over to the CHT",
    "delivery.confirmed": "Stands in the CHT",
    "delivery.landed": "Stands in the CHT",
    "delivery.refused": "The CHT refused it; the operator has been told",
    "delivery.withdrawn": "Deleted in the CHT; the task is open again",
    "flag.unknown_patient": "The CHT does not know this patient: shown as the report says",
    "flag.place_from_sender": "Listed here because the sender works here",
    "flag.no_appointment_date": "The report names no appointment date",
    "flag.bad_appointment_date": "The appointment date cannot be read",
    "flag.future_appointment_date": "The appointment date lies in the future",
    "flag.no_due_date": "Due date unknown: counted from the report",
    "flag.text_altered": "A character in the report could not be stored",
    "flag.duplicate_open": "This patient has another open appointment",
    "flag.orphan_place": "The patient's place is not part of any site",
}


def say(key: str, **values: object) -> str:
    """The text of `key`, with `{names}` filled in."""
    return ENGLISH[key].format(**values)


def count(key: str, number: int) -> str:
    return say(f"{key}.{'one' if number == 1 else 'other'}", count=number)


def flag(code: str) -> str:
    return ENGLISH.get(f"flag.{code}", _words(code))


def problem(code: str) -> str:
    """Why an answer was not stored."""
    return ENGLISH.get(f"problem.{code}", say("answer.not_stored"))


def reason(code: str) -> str:
    """Reasons are the programme's own; one without a text is shown by its code."""
    return ENGLISH.get(f"reason.{code}", _words(code))


def day(value: date) -> str:
    return f"{value.day} {say('months').split()[value.month - 1]} {value.year}"


def moment(value: datetime, zone: str) -> str:
    local = value.astimezone(ZoneInfo(zone))
    return f"{day(local.date())}, {local:%H:%M}"


def age(born: date, today: date) -> str:
    """Years; below two years months."""
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    if months < 24:
        return count("age.months", max(months, 0))
    return count("age.years", months // 12)


def _words(code: str) -> str:
    return code.replace("_", " ").capitalize()
