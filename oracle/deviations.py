"""In what we differ from the CHT's rules engine. Pure."""

from enum import Enum


class Deviation(Enum):
    """In what we differ: by its number in docs/implementers.md, or a quirk of the engine."""

    NAMED_TASK = "2: a report that names a task resolves no other"
    ANSWERED = "3: a verification closes its task whenever it comes"
    PATIENT_UUID = "4: a known patient_uuid counts where patient_id is unknown, or at the top level"
    READABLE_DATES = "5: a date that the CHT cannot read falls back, or is read"
    DELETED_REPORTS = "6: deleted reports never resolve"
    SHARED_SHORTCODE = "7: a shortcode that several contacts have names nobody"
    ONE_APPOINTMENT = "8: one appointment is one task, however often it is reported"
    APPOINTMENT_CHANGED = "9: a verification of another day does not answer the appointment"
    WHO_VERIFIES = "10: a verification by nobody who may verify, or without an outcome, is void"
    IMPOSSIBLE_DATES = "11: a date that cannot be true is no date"
    UNSEEN_REPORTS = "unseen: a report with no subject that the engine looks for gives a task"
    SHARED_NOBODY = "nobody: reports with only a case_id are not about the same nobody"
    DATE_READER = "quirk reader: not the calendar day as it is written"
    ROLLED_OVER = "quirk rolled over: an impossible day is one of the next month"
    BARE_CONTACTS = "quirk bare contact: contact tasks for contacts known only from reports"
    NEWER_THAN_NOTHING = "quirk undated: any report is newer than a source without a date"

    @property
    def label(self) -> str:
        return self.value.partition(":")[0]

    @property
    def is_designed(self) -> bool:
        """Whether we differ by our own rules, which hold for plain data too."""
        return not self.label.startswith("quirk")


ALL = frozenset(Deviation)
NONE: frozenset[Deviation] = frozenset()
