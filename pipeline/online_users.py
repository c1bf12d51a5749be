"""Which users of the CHT are online users: for them alone it computes no tasks.

`models/base/user_account.sql` knows the same roles.
"""

from collections.abc import Iterable

_ROLES = frozenset({"mm-online", "admin", "_admin"})


def is_online(roles: Iterable[str]) -> bool:
    return not _ROLES.isdisjoint(roles)
