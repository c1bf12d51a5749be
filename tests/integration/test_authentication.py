"""A CHT that hangs keeps only some threads waiting, so that the others go on serving."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from pipeline.cht.identity import Identity
from pipeline.errors import Unavailable
from pipeline.service import authentication
from pipeline.service.authentication import Authentication
from tests.integration.signed_in_clients import clock_of

pytestmark = pytest.mark.one_server


def test_a_cht_that_hangs_holds_up_eight_sign_ins_and_the_ninth_is_refused(engine: Engine) -> None:
    is_over, waiting = threading.Event(), threading.Semaphore(0)

    def hangs(name: str, _password: str, _address: str) -> Identity:
        waiting.release()
        is_over.wait(20)
        return Identity(name, (), (), None)

    signing_in = Authentication(engine, clock_of(engine), hangs)

    def enter(name: str) -> Identity:
        return signing_in.by_password(name, "password", "10.0.0.1")

    with ThreadPoolExecutor(8) as threads:
        entering = [threads.submit(enter, f"user-{number}") for number in range(8)]
        for _ in entering:
            assert waiting.acquire(timeout=20)
        with pytest.raises(Unavailable, match="slow"):
            enter("user-9")
        is_over.set()
        assert [one.result().user_name for one in entering] == [f"user-{n}" for n in range(8)]
    assert enter("user-9").user_name == "user-9"


def test_one_person_does_not_use_up_the_failures_of_an_address() -> None:
    by_one = authentication.FAILURES_OF_A_NAME + authentication.FAILURES_OF_AN_ADDRESS_BY_COOKIE
    assert by_one <= authentication.FAILURES_OF_AN_ADDRESS < 10, "the CHT stops everybody at ten"
