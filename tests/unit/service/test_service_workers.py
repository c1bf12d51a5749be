"""Background jobs go on whatever happens, and a worker starts whatever is down."""

import threading
from datetime import UTC, datetime
from functools import partial

import pytest
from starlette.testclient import TestClient

from pipeline import serve
from pipeline.database import Address
from pipeline.service import server
from pipeline.settings import Settings


def test_a_job_that_fails_is_started_again_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "SECONDS_UNTIL_RESTART", 0.01)
    stop, runs = threading.Event(), list[int]()

    def job(given: threading.Event) -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ValueError("Grace")
        given.set()

    server.keep_running("write-back", job, stop)
    assert runs == [0, 1, 2]
    assert caplog.text.count("ValueError") == 2
    assert "Grace" not in caplog.text


def test_a_worker_starts_while_postgresql_and_the_cht_are_down() -> None:
    nowhere = Address("127.0.0.1", 9, "worklist", "", "worklist")
    app = serve.make_app(Settings.read({"COUCHDB_PORT": "9"}), nowhere, partial(datetime.now, UTC))
    with TestClient(app) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
