"""The errors a caller can act on, sorted by what to do about them.

They are raised at the two doors (HTTP, PostgreSQL) and by the rules; `cli` turns them into one
sentence and an exit code, `service` into an HTTP status. A message never holds a patient's name,
a document's content or a secret.
"""


class WorklistError(Exception):
    """Anything this project says no with; its text is meant for a person."""


class SettingsWrong(WorklistError):
    """Stop: what the operator or implementer wrote must be changed first."""


class Unavailable(WorklistError):
    """The same again later may succeed: the other side is down, slow or busy."""


class Refused(WorklistError):
    """Never the same again: the other side, or a rule, said no."""


class Conflict(WorklistError):
    """Somebody was faster; look at what stands now and decide anew."""
