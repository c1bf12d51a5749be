"""Questions that wait for the CHT to tell of a change."""

import threading

import httpx
import pytest

from pipeline.cht.client import ChtClient
from pipeline.sync.longpoll import LongPoll


def test_a_question_that_finds_the_client_closed_ends_quietly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when `worklist run` is stopped between a sync and the question that follows it."""
    complaints: list[object] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"results": []}))
    client = ChtClient("http://cht.example", transport=transport)
    client.close()
    waiting, others = LongPoll(client), set(threading.enumerate())
    waiting.ask("medic", None)
    for thread in set(threading.enumerate()) - others:
        thread.join(10)
    assert complaints == []
    assert not waiting.is_quiet("medic")
