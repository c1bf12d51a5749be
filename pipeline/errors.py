"""The errors, sorted by what the caller should do.

`cli` turns them into one sentence and an exit code, `service` into an HTTP status. A message never
contains a patient's name, a document's content or a secret.
"""


class WorklistError(Exception):
    """The base of all our errors; the message is a sentence for a person."""


class SettingsWrong(WorklistError):
    """Stop: the operator or implementer must change the settings first."""


class Unavailable(WorklistError):
    """Retry later: the other side is down, slow or busy."""


class Refused(WorklistError):
    """Do not retry: the other side, or a rule, does not allow it."""


class Conflict(WorklistError):
    """Somebody was faster: check the current state, then decide again."""
