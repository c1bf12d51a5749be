"""The way to the CHT has room for some, so that the others are never all busy waiting for it."""

import asyncio
import threading
from functools import partial

import pytest
from sqlalchemy import Engine

from pipeline import turns
from pipeline.cht.http import Unauthorized
from pipeline.cht.identity import Identity
from pipeline.database import Connections, clock
from pipeline.errors import Unavailable
from pipeline.service import authentication
from pipeline.service.authentication import Entrance
from tests.integration.loop import on_a_loop

pytestmark = pytest.mark.one_server


def nobody(_cookie: str, _address: str) -> Identity:
    raise Unauthorized("nobody")


def test_a_cht_that_hangs_holds_up_eight_and_turns_the_ninth_away(engine: Engine) -> None:
    is_over, waiting = threading.Event(), threading.Semaphore(0)

    def hangs(name: str, _password: str, _address: str) -> Identity:
        waiting.release()
        is_over.wait(20)
        return Identity(name, (), (), None, True)

    async def all_at_once() -> None:
        way_in = Entrance(Connections(engine), hangs, nobody, clock(engine))

        def enter(name: str) -> Identity:
            return way_in.by_password(name, "password", "10.0.0.1")

        tasks = [
            asyncio.create_task(turns.run(partial(enter, f"user-{number}"))) for number in range(8)
        ]
        for _ in tasks:
            assert await asyncio.to_thread(waiting.acquire, timeout=20)
        with pytest.raises(Unavailable, match="slow"):
            await turns.run(partial(enter, "user-9"))
        is_over.set()
        await asyncio.gather(*tasks)
        assert (await turns.run(partial(enter, "user-9"))).user_name == "user-9"

    on_a_loop(all_at_once)


def test_one_person_does_not_use_up_the_failures_of_an_address() -> None:
    by_one = authentication.OF_A_NAME + authentication.OF_AN_ADDRESS_BY_COOKIE
    assert by_one <= authentication.OF_AN_ADDRESS < 10, "the CHT stops everybody at ten"
