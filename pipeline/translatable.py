"""Marks sentences for the catalogues in `service/locale`; whoever shows one translates it."""


def gettext_noop(message: str) -> str:
    return message


def pgettext_noop(context: str, message: str) -> str:
    """A message that other languages say differently elsewhere, under gettext's own key for it."""
    return f"{context}\x04{message}"
