"""The way to the CHT has room for some, so that the others are never all busy waiting for it."""

import threading

import pytest
from sqlalchemy import Engine

from pipeline.cht.door import Unauthorized
from pipeline.cht.identity import Identity
from pipeline.database import clock
from pipeline.errors import Unavailable
from pipeline.service import entrance
from pipeline.service.entrance import Entrance

pytestmark = pytest.mark.one_server


def nobody(_cookie: str, _address: str) -> Identity:
    raise Unauthorized("nobody")


def test_a_cht_that_hangs_holds_up_eight_and_turns_the_ninth_away(engine: Engine) -> None:
    is_over, waiting = threading.Event(), threading.Semaphore(0)

    def hangs(name: str, _password: str, _address: str) -> Identity:
        waiting.release()
        is_over.wait(20)
        return Identity(name, (), (), None, True)

    way_in = Entrance(engine, hangs, nobody, clock(engine))
    threads = [
        threading.Thread(target=way_in.by_password, args=(f"user-{number}", "password", "10.0.0.1"))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert waiting.acquire(timeout=20)
    with pytest.raises(Unavailable, match="slow"):
        way_in.by_password("user-9", "password", "10.0.0.1")
    is_over.set()
    for thread in threads:
        thread.join()
    assert way_in.by_password("user-9", "password", "10.0.0.1").user_name == "user-9"


def test_one_person_does_not_use_up_the_failures_of_an_address() -> None:
    by_one = entrance.OF_A_NAME + entrance.OF_AN_ADDRESS_BY_COOKIE
    assert by_one <= entrance.OF_AN_ADDRESS < 10, "the CHT stops everybody at ten"
