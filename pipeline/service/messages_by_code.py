"""What the pages say for the codes that data and rules use, by `kind.code`."""

from pipeline.translatable import gettext_noop, pgettext_noop
from pipeline.worklist import rules

MESSAGES = {
    # the title of the task that we ship
    "title.verify-missed-appointment": gettext_noop("Verify missed appointment"),
    # tabs of the list
    "standing.open": gettext_noop("To verify"),
    "standing.verified": gettext_noop("Verified"),
    "standing.resolved": gettext_noop("Resolved by another report"),
    "standing.expired": gettext_noop("Not verified in time"),
    "standing.upcoming": gettext_noop("Not open yet"),
    "standing.excluded": gettext_noop("Excluded"),
    "standing.repeated": gettext_noop("Reported again"),
    "standing.withdrawn": gettext_noop("Withdrawn"),
    # the status of one task
    "status.open": pgettext_noop("one task", "To verify"),
    "status.verified": pgettext_noop("one task", "Verified"),
    "status.resolved": pgettext_noop("one task", "Resolved by another report"),
    "status.expired": pgettext_noop("one task", "Not verified in time"),
    "status.upcoming": pgettext_noop("one task", "Not open yet"),
    "status.excluded": pgettext_noop("one task", "Excluded"),
    "status.repeated": pgettext_noop("one task", "Reported again"),
    "status.withdrawn": pgettext_noop("one task", "Withdrawn"),
    "order.missed": gettext_noop("Oldest first"),
    "order.area": gettext_noop("CHW area"),
    "order.due": gettext_noop("Due date"),
    "order.name": gettext_noop("Name"),
    "list.empty": gettext_noop("There are no appointments here."),
    "list.end": gettext_noop("You have reached the end of the list."),
    "list.done": gettext_noop("All done. Every appointment that is due has an answer."),
    "list.nothing_reported": gettext_noop(
        "No missed appointments have been reported in your places."
    ),
    "list.nobody_found": gettext_noop("No patients match."),
    "sign_in.wrong": gettext_noop("Incorrect user name or password."),
    "sign_in.throttled": gettext_noop(
        "Too many failed attempts. Wait ten seconds, then try again."
    ),
    "sign_in.password_change": gettext_noop(
        "You must change your password first. Sign in to the CHT to do so, then come back here."
    ),
    "sign_in.cht_session_over": gettext_noop("Your CHT session has expired. Sign in again."),
    "sign_in.unavailable": gettext_noop(
        "You cannot sign in at the moment because the CHT is not responding. "
        "If you are signed in, you can keep working."
    ),
    "viewer.reads": gettext_noop("You can view all places but not verify."),
    "viewer.online": gettext_noop(
        "This worklist is for online users. Your tasks are in the CHT on your phone. "
        "If this is wrong, ask your CHT administrator."
    ),
    "viewer.no_worklist": gettext_noop(
        "Your CHT account has no worklist. "
        "Ask your CHT administrator to add what it lacks: %(lacks)s."
    ),
    "viewer.contact": rules.WHY_NOT["contact"],
    "lack.role": gettext_noop("a role with a worklist"),
    "lack.place": gettext_noop("a place"),
    "lack.contact": gettext_noop("a contact"),
    **{f"why_not.{rule}": sentence for rule, sentence in rules.WHY_NOT.items()},
    "sex.male": gettext_noop("Male"),
    "sex.female": gettext_noop("Female"),
    "answer.visited": gettext_noop("Visited"),
    "answer.not_visited": gettext_noop("Did not visit"),
    "answer.cannot_tell": gettext_noop("Cannot tell yet"),
    "problem.visit_date_in_future": gettext_noop("The date of visit cannot be in the future."),
    "problem.visit_date_unreadable": gettext_noop("Enter a valid date of visit."),
    "problem.reason_unknown": gettext_noop("Choose one of the reasons."),
    "problem.note_missing": gettext_noop("Write what you know so far."),
    "problem.note_too_long": gettext_noop("The note is too long: at most 2,000 characters."),
    "problem.note_unreadable": gettext_noop("The note contains a character that cannot be saved."),
    "problem.outcome_unknown": gettext_noop("Choose one of the answers."),
    "problem.other": gettext_noop("Part of the answer is invalid."),
    "reason.transferred_out": gettext_noop("Transferred out"),
    "reason.moved": gettext_noop("Moved away"),
    "reason.died": gettext_noop("Died"),
    "reason.record_error": gettext_noop("Record error"),
    "reason.other": gettext_noop("Other"),
    # why the CHT excludes a patient
    "reason.deceased": gettext_noop("the patient has died"),
    "reason.muted": gettext_noop("the patient is muted"),
    "report.reported": gettext_noop("Reported as missed"),
    "report.visited": gettext_noop("Later report"),
    "report.traced": gettext_noop("Tracing by a CHW"),
    "void.no_outcome": gettext_noop("Does not count: no answer was chosen"),
    "void.not_authorised": gettext_noop("Does not count: the sender is not allowed to verify"),
    "delivery.pending": gettext_noop("Waiting to be sent to the CHT"),
    "delivery.sent": gettext_noop("Sent to the CHT"),
    "delivery.confirmed": gettext_noop("Received by the CHT"),
    "delivery.landed": gettext_noop("Received by the CHT"),
    "delivery.refused": gettext_noop(
        "Refused by the CHT; your administrator needs to resolve this"
    ),
    "delivery.withdrawn": gettext_noop("Deleted in the CHT; the task is open again"),
    "flag.ambiguous_patient": gettext_noop(
        "Several contacts have this number, so it is unclear who is meant"
    ),
    "flag.appointment_changed": gettext_noop(
        "An earlier answer was for a different date or patient; please answer again"
    ),
    "flag.bad_reported_date": gettext_noop(
        "The report date is implausible; the day the report arrived is used instead"
    ),
    "flag.distant_appointment_date": gettext_noop(
        "The appointment is more than two years before the report; check its date"
    ),
    "flag.unknown_patient": gettext_noop(
        "This patient is not in the CHT; details are from the report"
    ),
    "flag.place_from_sender": gettext_noop(
        "Listed here because the sender of the report works here"
    ),
    "flag.no_appointment_date": gettext_noop("The report has no appointment date"),
    "flag.bad_appointment_date": gettext_noop("The appointment date is unreadable"),
    "flag.future_appointment_date": gettext_noop("The appointment is later than the due date"),
    "flag.no_due_date": gettext_noop("Due date unknown; counted from the report"),
    "flag.text_altered": gettext_noop("A character in the report could not be stored"),
    "flag.duplicate_open": gettext_noop("This patient has another open appointment"),
    "flag.orphan_place": gettext_noop("The patient’s place does not belong to any site"),
    # errors that have a page of their own, by HTTP status
    "error.400": gettext_noop("Invalid request"),
    "error.403": gettext_noop("Not allowed"),
    "error.404": gettext_noop("Not on your worklist"),
    "error.409": gettext_noop("Already verified"),
    "error.422": gettext_noop("Invalid input"),
    "error.500": gettext_noop("Something went wrong"),
    "error.503": gettext_noop("Temporarily unavailable"),
    "advice.400": gettext_noop(
        "The service could not read this request. Go to the list and try again."
    ),
    "advice.404": gettext_noop("There is no such page or task on your worklist."),
    "advice.409": gettext_noop("Check the current answer, then try again."),
    "advice.422": gettext_noop("Part of the address or form is invalid."),
    "advice.500": gettext_noop(
        "Something went wrong on our side. Everything you saved before is safe."
    ),
    "advice.503": gettext_noop("Everything you saved before is safe."),
}
