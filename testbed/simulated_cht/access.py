"""Which database a request may read or write.

Behind the CHT's API, online users may read `medic`, and those with the permission `can_edit` may
write to it; every other database is for administrators.
"""

from starlette.requests import Request

from testbed.simulated_cht.accounts import Account
from testbed.simulated_cht.authentication import may, simulation
from testbed.simulated_cht.database import CouchRefusal, Database
from testbed.simulated_cht.responses import insufficient_privileges
from testbed.simulated_cht.simulation import MEDIC


def is_api_for(name: str, request: Request) -> bool:
    return bool(request.app.state.is_api) and request.path_params["database"] == name


def readable(request: Request, account: Account, *, offline: bool = False) -> Database:
    """The requested database. Online users read all of `medic`, as in a real CHT."""
    source = simulation(request).database(request.path_params["database"])
    if source.name != MEDIC and not account.is_administrator:
        raise CouchRefusal(403, "forbidden", "You are not allowed to access this db.")
    if is_api_for(MEDIC, request) and not account.is_online and not offline:
        raise insufficient_privileges()
    return source


def writable(request: Request, account: Account) -> Database:
    target = readable(request, account)
    if is_api_for(MEDIC, request) and not may(account, request, "can_edit"):
        raise insufficient_privileges()
    return target
