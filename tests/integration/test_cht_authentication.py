"""A CHT that hangs keeps only some threads waiting, so that the others go on serving."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from pipeline.cht.http import Unauthorized
from pipeline.cht.users import Identity, PasswordChangeRequired
from pipeline.errors import SettingsWrong, Unavailable, WorklistError
from pipeline.service import cht_authentication
from pipeline.service.cht_authentication import Authentication
from pipeline.worklist.throttle import TooManyFailures
from tests.integration.signed_in_clients import clock_of
from tests.waiting import LONG

pytestmark = pytest.mark.one_server


def test_a_cht_that_hangs_holds_up_eight_sign_ins_and_the_ninth_is_refused(engine: Engine) -> None:
    is_over, waiting = threading.Event(), threading.Semaphore(0)

    def hangs(name: str, _password: str, _address: str) -> Identity:
        waiting.release()
        is_over.wait(LONG)
        return Identity(name, (), (), None)

    signing_in = Authentication(engine, clock_of(engine), hangs)

    def enter(name: str) -> Identity:
        return signing_in.by_password(name, "password", "10.0.0.1")

    with ThreadPoolExecutor(8) as threads:
        entering = [threads.submit(enter, f"user-{number}") for number in range(8)]
        for _ in entering:
            assert waiting.acquire(timeout=LONG)
        with pytest.raises(Unavailable, match="slow"):
            enter("user-9")
        is_over.set()
        assert [one.result().user_name for one in entering] == [f"user-{n}" for n in range(8)]
    assert enter("user-9").user_name == "user-9"


@pytest.mark.parametrize("error", [Unavailable, SettingsWrong, PasswordChangeRequired])
def test_what_is_no_wrong_password_is_no_failure(
    engine: Engine, error: type[WorklistError]
) -> None:
    def fails(_name: str, _password: str, _address: str) -> Identity:
        raise error("not now")

    signing_in = Authentication(engine, clock_of(engine), fails)
    for _ in range(cht_authentication.FAILURES_OF_A_NAME + 1):
        with pytest.raises(error):
            signing_in.by_password("grace", "password", "10.0.0.1")


def test_ended_cht_sessions_count_against_their_address(engine: Engine) -> None:
    """As the CHT counts them, which stops the address at ten."""

    def refuses(*_: str) -> Identity:
        raise Unauthorized("The CHT does not know this.")

    signing_in = Authentication(engine, clock_of(engine), refuses, refuses)
    by_cookie = cht_authentication.FAILURES_OF_AN_ADDRESS_BY_COOKIE
    for number in range(by_cookie):
        with pytest.raises(Unauthorized):
            signing_in.by_cookie(f"cookie-{number}", "10.0.0.1")
    for number in range(cht_authentication.FAILURES_OF_AN_ADDRESS - by_cookie):
        with pytest.raises(Unauthorized):
            signing_in.by_password(f"user-{number}", "password", "10.0.0.1")
    with pytest.raises(TooManyFailures):
        signing_in.by_password("grace", "password", "10.0.0.1")


def test_one_person_does_not_use_up_the_failures_of_an_address() -> None:
    by_one = (
        cht_authentication.FAILURES_OF_A_NAME + cht_authentication.FAILURES_OF_AN_ADDRESS_BY_COOKIE
    )
    assert by_one <= cht_authentication.FAILURES_OF_AN_ADDRESS < 10, (
        "the CHT stops everybody at ten"
    )
