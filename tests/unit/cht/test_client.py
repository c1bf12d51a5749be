"""What the CHT says, and what the client makes of it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import httpx
import pytest

from pipeline.cht.changes import read_parts
from pipeline.cht.client import ChtClient, DocumentState
from pipeline.cht.http import ClientClosed, RequestRefused, Unauthorized
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> ChtClient:
    transport = httpx.MockTransport(handler)
    return ChtClient("http://cht.example", "worklist", "secret-word", transport=transport)


def answering(status: int, **what: object) -> ChtClient:
    return client(lambda _: httpx.Response(status, **what))  # type: ignore[arg-type]


HTML = {"content-type": "text/html; charset=utf-8"}
CONFLICT = b'[{"id":"a","error":"conflict","reason":"Document update conflict."}]'


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"code": 401, "error": "unauthorized"}, Unauthorized, "401: unauthorized"),
        (403, {"code": 403, "error": "Insufficient privileges"}, Refused, "Insufficient"),
        (400, {"error": "illegal_docid", "reason": "Only reserved."}, RequestRefused, "Only reser"),
        (413, {"error": "too_large"}, RequestRefused, "too_large"),
        (404, {"error": "not_found", "reason": "Database does not exist."}, SettingsWrong, "medic"),
        (429, {"code": 429, "error": "Too Many Requests"}, Unavailable, "wait ten seconds"),
        (500, {"code": 500, "error": "Server error"}, Unavailable, "500: Server error"),
        (503, None, Unavailable, "(503)"),
    ],
)
def test_each_refusal_says_what_the_caller_can_do(
    status: int, body: object, error: type[WorklistError], words: str
) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
        answering(status, json=body).pending("medic", None)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "/medic/login?redirect=x"}),
        httpx.Response(200, headers=HTML, content=b"<html>Please sign in</html>"),
    ],
)
def test_a_login_page_is_never_taken_for_data(answer: httpx.Response) -> None:
    with pytest.raises(Refused, match="login page"):
        client(lambda _: answer).session()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectError("Connection refused"), "cannot be reached"),
        (httpx.ReadTimeout("slow"), "in time"),
        (httpx.RemoteProtocolError("cut off"), "cannot be reached"),
    ],
)
def test_a_server_that_is_away_is_unavailable(failure: Exception, words: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(Unavailable, match=words):
        client(fail).session()


def test_a_request_with_a_closed_client_says_so_and_is_not_retried() -> None:
    asking = answering(200, json={})
    asking.close()
    with pytest.raises(ClientClosed, match="client was closed") as told:
        asking.session()
    assert not isinstance(told.value, Unavailable | Refused)


def test_a_fault_of_our_own_is_not_taken_for_a_closed_client() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        client(fail).session()


@pytest.mark.parametrize("body", [b'{"results":[\n{"seq":"1', b"[]", b"", b'{"ok":true}'])
def test_an_answer_cut_short_is_unavailable(body: bytes) -> None:
    with (
        pytest.raises(Unavailable, match="cannot be read"),
        answering(200, content=body).changes("medic", None, 5) as parts,
    ):
        list(parts)


def test_an_error_repeats_neither_a_document_nor_the_password() -> None:
    body = {"error": "forbidden", "reason": "no", "doc": {"name": "Grace Banda"}}
    with pytest.raises(Refused) as refused:
        answering(403, json=body).bulk_docs("medic", [{"_id": "a"}])
    assert "Grace" not in str(refused.value)
    assert "secret-word" not in str(refused.value)


def test_every_request_asks_for_json_and_sends_exactly_json() -> None:
    asked: list[httpx.Request] = []

    def remember(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, content=CONFLICT)

    written = client(remember).bulk_docs("medic", [{"_id": "a"}])
    assert (written[0].ok, written[0].error) == (False, "conflict")
    assert asked[0].headers["accept"] == "application/json"
    assert asked[0].headers["content-type"] == "application/json"


def test_every_call_has_a_time_out() -> None:
    """A minute of silence; a longpoll has what it is asked to wait for on top."""
    limits: list[float] = []

    def freeze(request: httpx.Request) -> httpx.Response:
        limits.append(max(request.extensions["timeout"].values()))
        raise httpx.ReadTimeout("silence")

    def read(stream: AbstractContextManager[Iterable[object]]) -> None:
        with stream as parts:
            list(parts)

    frozen = ChtClient("http://cht.example", read_seconds=60, transport=httpx.MockTransport(freeze))
    calls: list[Callable[[], object]] = [
        frozen.session,
        lambda: read(frozen.changes("medic", None, 5)),
        lambda: frozen.pending("medic", None),
        lambda: frozen.last_sequence("medic"),
        lambda: frozen.wait_for_change("medic", None, 25),
        lambda: frozen.bulk_docs("medic", [{}]),
        lambda: frozen.document("medic", "a"),
        lambda: frozen.revisions("medic", ["a"]),
        lambda: frozen.listing("medic", None, 5),
        lambda: read(frozen.documents("medic", ["a"])),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="in time"):
            call()
    assert sorted(limits) == [60] * (len(calls) - 1) + [85]


def test_the_session_of_one_user_is_never_sent_for_another() -> None:
    sent: list[str | None] = []

    def set_cookie(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        cookie = {"set-cookie": "AuthSession=abc; Version=1; Path=/; HttpOnly"}
        return httpx.Response(200, json={"userCtx": {"name": "a"}}, headers=cookie)

    asking = client(set_cookie)
    asking.session()
    asking.session()
    assert sent == [None, None]


def test_a_document_without_a_result_leaves_all_of_them_open() -> None:
    with pytest.raises(Unavailable, match="did not answer for every document"):
        answering(201, content=CONFLICT).bulk_docs("medic", [{"_id": "a"}, {"_id": "b"}])


def test_a_missing_document_and_a_deleted_one_are_distinguished() -> None:
    deleted = answering(404, json={"error": "not_found", "reason": "deleted"})
    missing = answering(404, json={"error": "not_found", "reason": "missing"})
    no_database = answering(404, json={"error": "not_found", "reason": "Database does not exist."})
    assert deleted.document("medic", "a").state == DocumentState.DELETED
    assert missing.document("medic", "a").state == DocumentState.MISSING
    with pytest.raises(SettingsWrong):
        no_database.document("medic", "a")


def test_revisions_tell_present_deleted_and_missing_apart() -> None:
    rows = [
        {"id": "a", "key": "a", "value": {"rev": "1-a"}},
        {"id": "b", "key": "b", "value": {"rev": "2-b", "deleted": True}, "doc": None},
        {"key": "c", "error": "not_found"},
    ]
    found = answering(200, json={"rows": rows}).revisions("medic", ["a", "b", "c"])
    assert [found[key].state for key in "abc"] == ["present", "deleted", "missing"]
    assert found["a"].revision == "1-a"


def test_a_document_passes_through_as_the_bytes_that_came() -> None:
    document = b'{"_id":"a", "n": 1.50, "t":"\\u00e9\\/"}'
    (page,) = read_parts(
        [
            b'{"results":[\n{"seq":null,"id":"a","changes":[{"rev":"1-a"}],"doc":'
            + document
            + b'}\n],\n"last_seq":"9-x","pending":0}\n'
        ]
    )
    end = page.end
    assert end is not None
    assert bytes(page.rows[0].doc) == document
    assert (end.sequence, end.pending) == ("9-x", 0)


@pytest.mark.parametrize("bad", [b'"\\ud800"', b"[" * 50_000 + b"]" * 50_000])
def test_a_document_that_no_parser_takes_does_not_hold_back_its_page(bad: bytes) -> None:
    (page,) = read_parts(
        [
            b'{"results":[\n'
            b'{"seq":"1-a","id":"a","changes":[{"rev":"1-a"}],"doc":{"t":' + bad + b"}},\r\n"
            b'{"seq":null,"id":"b","changes":[{"rev":"2-b"}],"deleted":true},\r\n'
            b'{"seq":"3-c","id":"c","changes":[{"rev":"1-c"}],"doc":{"_id":"c"}}\n'
            b'],\n"last_seq":"3-c","pending":7}\n\n'
        ]
    )
    end = page.end
    assert end is not None
    assert [bytes(row.id) for row in page.rows] == [b'"a"', b'"b"', b'"c"']
    assert bytes(page.rows[0].doc) == b'{"t":' + bad + b"}"
    assert [row.deleted for row in page.rows] == [False, True, False]
    assert (page.rows[2].changes[0].rev, end.sequence, end.pending) == ("1-c", "3-c", 7)


def test_a_report_is_made_and_named_by_the_cht() -> None:
    made = answering(200, json={"form": "f", "_id": "a", "_rev": "1-a"})
    assert made.create_report({"form": "f"}) == "a"


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, {"error": "not_found"}, SettingsWrong, "which CHT 5.2 brought"),
        (400, {"code": 400, "error": "Invalid form value [f]."}, Refused, "does not have the form"),
        (400, {"code": 400, "error": "Contact [x] not found."}, RequestRefused, "Contact"),
        (403, {"code": 403, "error": "Insufficient privileges"}, Refused, "Insufficient"),
    ],
)
def test_why_a_report_is_not_made_says_what_to_do(
    status: int, body: object, error: type[WorklistError], words: str
) -> None:
    with pytest.raises(error, match=words) as refusal:
        answering(status, json=body).create_report({"form": "f"})
    assert refusal.type is error


def test_documents_are_read_by_their_ids_in_one_request() -> None:
    rows = [
        {"id": "a", "key": "a", "value": {"rev": "1-a"}, "doc": {"_id": "a", "n": 1}},
        {"id": "b", "key": "b", "value": {"rev": "2-b", "deleted": True}, "doc": None},
        {"key": "c", "error": "not_found"},
    ]
    found = answering(200, json={"rows": rows}).stored("medic", ["a", "b", "c"])
    assert [one.state for one in found.values()] == [*DocumentState]
    assert found["a"].content == {"_id": "a", "n": 1}
    assert found["b"].content is None
