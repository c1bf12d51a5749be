"""The simulated CHT answers as the recorded one did.

Every recorded exchange is replayed, in order, over HTTP against a simulation in a process of its
own. What is asked of the changes feed beyond the recording is also asked of a real CouchDB, where
`WORKLIST_TEST_COUCHDB_URL` names one (with an administrator's credentials); it is written to only
in databases made here.
"""

import base64
import gzip
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from testbed.simulated_cht.process import running
from tests.waiting import LONG

RECORDINGS = Path(__file__).parents[1] / "data" / "cht-wire"
NOT_SIMULATED = {"version", "targets of a period"}  # endpoints that nothing here calls
EXCHANGES = [
    exchange
    for line in (RECORDINGS / "exchanges.jsonl").read_text(encoding="utf-8").splitlines()
    if (exchange := json.loads(line))["name"] not in NOT_SIMULATED
]
PASSWORD = "correct-horse"
REAL_COUCHDB = os.environ.get("WORKLIST_TEST_COUCHDB_URL")
# What a bare CouchDB answers as it does behind the API.
BARE = [
    *(f"changes: {name}" for name in ("first page", "next page", "with documents", "nothing new")),
    *(f"changes: {name}" for name in ("since now", "longpoll that is answered")),
    *(f"changes: {name}" for name in ("malformed since", "integer since", "how many are left")),
    "all docs by keys",
    "write: bulk, one document",
    "write: bulk, the same document again",
    "read it back",
    "write: put, id taken",
    "write: put",
    "write: put, stale revision",
    "write: bulk, one good, one taken, one nameless",
    "write: bulk, an id that begins with an underscore",
]
REWRITTEN = ["settings (cut down to the keys of interest)"]  # by the recorder, with other spaces
NAMING_KEYS = {"_id", "id", "_rev", "rev", "last_seq"}


class Server:
    """Addresses of the API and of the CouchDB behind it, without a trailing slash."""

    def __init__(self, api: str, couchdb: str) -> None:
        self.api = api
        self.couchdb = couchdb


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    feed = tmp_path_factory.mktemp("feed") / "before.jsonl.gz"
    _write_state_before_the_exchanges(feed)
    moment = datetime(2026, 11, 22, 11, tzinfo=UTC)
    with running(feed, PASSWORD, moment, with_couchdb=True) as cht:
        yield Server(cht.url, cht.couchdb_url)
    assert cht.process.exitcode == 0


def _write_state_before_the_exchanges(path: Path) -> None:
    created = _created_by_the_exchanges()
    with gzip.open(RECORDINGS / "changes.jsonl.gz", "rt") as recorded, gzip.open(path, "wt") as out:
        out.writelines(line for line in recorded if json.loads(line).get("id") not in created)


def _created_by_the_exchanges() -> set[str]:
    """Ids of the documents that the recorded exchanges wrote: the feed was read after them."""
    created = set()
    for exchange in EXCHANGES:
        if exchange["request"]["method"] in ("POST", "PUT"):
            answer = _parsed(exchange["response"]["body"])
            rows = answer if isinstance(answer, list) else [answer]
            created |= {row["id"] for row in rows if "rev" in row}
            created |= {row["_id"] for row in rows if "_rev" in row}
    return created


class Conversation:
    """Repeats the recorded requests, with the ids and revisions that this server gave."""

    def __init__(
        self,
        client: httpx.Client,
        server: Server,
        database: str = "medic",
        account: tuple[str, str] | None = None,
    ) -> None:
        """`account` replaces every recorded one, where a server has no users."""
        self._client = client
        self._server = server
        self._database = database
        self._account = account
        self._given: dict[str, str] = {}
        self._cookie = ""

    def ask(self, exchange: dict[str, Any]) -> httpx.Response:
        request = self._request(exchange)
        if "feed=longpoll" in exchange["request"]["path"]:
            response = self._ask_and_write(request)
        else:
            response = self._client.send(request)
        cookie = response.cookies.get("AuthSession")
        self._cookie = cookie or self._cookie
        self._client.cookies.clear()
        self._learn(_parsed(exchange["response"]["body"]), _parsed(response.text))
        return response

    def until_allowed(self, exchange: dict[str, Any]) -> httpx.Response:
        """Repeats the request while it is refused as one too many; each refusal counts as well."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            response = self.ask(exchange)
            if response.status_code != 429:
                break
            time.sleep(1)  # nothing tells that the limit has been lifted but asking
        return response

    def translated(self, text: str) -> str:
        for theirs, ours in self._given.items():
            text = text.replace(theirs, ours)
        return text

    def _ask_and_write(self, request: httpx.Request) -> httpx.Response:
        """Writes a document once the response to a longpoll has begun."""
        response = self._client.send(request, stream=True)
        parts = response.iter_raw()
        first = next(parts)
        address = str(request.url).split("/_changes")[0]
        headers = {"Authorization": request.headers["authorization"]}
        httpx.put(f"{address}/{secrets.token_hex(8)}", json={}, headers=headers).raise_for_status()
        content = first + b"".join(parts)
        response.close()
        return httpx.Response(
            response.status_code, headers=response.headers, content=content, request=request
        )

    def _request(self, exchange: dict[str, Any]) -> httpx.Request:
        recorded = exchange["request"]
        is_api = exchange["server"] == "cht-api"
        path = self.translated(recorded["path"]).replace("/medic/", f"/{self._database}/", 1)
        path = re.sub(r"(?<=since=)1276-[\w-]+", self._now, path)
        body = recorded["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        return self._client.build_request(
            recorded["method"],
            (self._server.api if is_api else self._server.couchdb) + path,
            headers=self._headers(exchange),
            content=None if body is None else text.replace("Lab-Secret-2026x", PASSWORD),
        )

    def _headers(self, exchange: dict[str, Any]) -> dict[str, str]:
        headers = {"Accept": "*/*", **exchange["request"]["headers"]}
        if "Cookie" in headers:
            is_malformed = exchange["name"] == "malformed cookie"
            headers["Cookie"] = f"AuthSession={'garbage' if is_malformed else self._cookie}"
        blanked = re.fullmatch(r"Basic <(.*):(.*)>", headers.get("Authorization", ""))
        if blanked:
            name, meant = blanked[1], blanked[2]
            is_right = meant == "password" or exchange["response"]["status"] == 200
            password = ("password" if name == "medic" else PASSWORD) if is_right else "no-no"
            headers["Authorization"] = _basic(*(self._account or (name, password)))
        return headers

    def _now(self, _: re.Match[str]) -> str:
        """The end of this server's feed, where the recording was at the end of its own."""
        address = f"{self._server.couchdb}/{self._database}/_changes?since=now&limit=0"
        account = self._account or ("medic", "password")
        return str(self._client.get(address, auth=account).json()["last_seq"])

    def _learn(self, recorded: Any, given: Any) -> None:
        if isinstance(recorded, list) and isinstance(given, list):
            for one, other in zip(recorded, given, strict=False):
                self._learn(one, other)
        elif isinstance(recorded, dict) and isinstance(given, dict):
            for key in NAMING_KEYS & recorded.keys() & given.keys():
                if recorded[key] != given[key]:
                    self._given[recorded[key]] = given[key]


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shape(value: Any) -> Any:
    """Keys and types all the way down; of a list, which shapes its members have."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        shapes = [_shape(item) for item in value]
        return [shape for number, shape in enumerate(shapes) if shape not in shapes[:number]]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else type(value)


def _without_documents(body: Any) -> Any:
    """A feed's answer without what depends on which document comes first."""
    if not isinstance(body, dict) or "results" not in body:
        return body
    rows = [{key: row[key] for key in ("seq", "id", "changes")} for row in body["results"]]
    documents = [row["doc"] for row in body["results"] if "doc" in row]
    names = [{key: document[key] for key in ("_id", "_rev")} for document in documents]
    return {**body, "results": rows, "documents": names}


def _nulls(body: Any) -> list[bool]:
    rows = body.get("results", []) if isinstance(body, dict) else []
    return [row["seq"] is None for row in rows]


def _refusals(body: Any) -> list[Any]:
    """What an answer says about what was wrong."""
    parts = body if isinstance(body, list) else [body]
    named = [part for part in parts if isinstance(part, dict) and "error" in part]
    return [{key: part.get(key) for key in ("code", "error", "reason")} for part in named]


def _spaces(text: str) -> list[str]:
    """The white space between the tokens of JSON."""
    return re.findall(r"\s", re.sub(r'"(?:\\.|[^"\\])*"', "", text))


def _recorded_header(exchange: dict[str, Any], name: str) -> str | None:
    headers = {key.lower(): value for key, value in exchange["response"]["headers"]}
    value: str | None = headers.get(name)
    return value


def _assert_same_body(exchange: dict[str, Any], response: httpx.Response) -> None:
    recorded, given = _parsed(exchange["response"]["body"]), _parsed(response.text)
    assert _shape(_without_documents(given)) == _shape(_without_documents(recorded))
    assert _nulls(given) == _nulls(recorded)
    assert _refusals(given) == _refusals(recorded)


def _assert_same_text(exchange: dict[str, Any], response: httpx.Response) -> None:
    recorded = exchange["response"]["body"]
    if isinstance(_parsed(recorded), str):
        assert response.text == recorded
    elif exchange["name"] not in REWRITTEN:
        assert _spaces(response.text) == _spaces(recorded)


def _assert_same_headers(
    exchange: dict[str, Any], response: httpx.Response, conversation: Conversation
) -> None:
    content_type = _recorded_header(exchange, "content-type")
    if content_type:
        assert response.headers["content-type"] == content_type
    location = _recorded_header(exchange, "location")
    if location:
        there = urlsplit(conversation.translated(location))
        here = urlsplit(response.headers["location"])
        assert (here.path, here.query) == (there.path, there.query)
    cookie = _recorded_header(exchange, "set-cookie")
    assert response.headers.get("set-cookie", "").split("=")[0] == (cookie or "").split("=")[0]


def test_every_recorded_exchange_is_answered_as_it_was(server: Server) -> None:
    with httpx.Client(timeout=10) as client:
        conversation = Conversation(client, server)
        for exchange in EXCHANGES:
            name = exchange["name"]
            if name == "rate limit: failed basic auth 11":
                for _ in range(9):
                    conversation.ask(exchange)
            ask = conversation.until_allowed if "afterwards" in name else conversation.ask
            response = ask(exchange)
            assert (name, response.status_code) == (name, exchange["response"]["status"])
            _assert_same_body(exchange, response)
            _assert_same_text(exchange, response)
            _assert_same_headers(exchange, response, conversation)


class Store:
    """A database made for a test."""

    def __init__(self, client: httpx.Client, address: str, account: tuple[str, str]) -> None:
        self.name = f"worklist-test-{secrets.token_hex(6)}"
        self.address = f"{address}/{self.name}"
        self.account = account
        self._client = client

    def request(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        return self._client.request(method, self.address + path, auth=self.account, **options)

    def write(self, *documents: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        answer = self.request("POST", "/_bulk_docs", json={"docs": documents, **options})
        rows: list[dict[str, Any]] = answer.raise_for_status().json()
        return rows

    def changes(self, **options: Any) -> dict[str, Any]:
        answer = self.request("GET", "/_changes", params=options).raise_for_status()
        page: dict[str, Any] = answer.json()
        return page


@pytest.fixture(params=["simulated", "real"] if REAL_COUCHDB else ["simulated"])
def store(request: pytest.FixtureRequest, server: Server) -> Iterator[Store]:
    address, account = server.couchdb, ("medic", "password")
    if request.param == "real":
        url = httpx.URL(REAL_COUCHDB or "")
        address = str(url.copy_with(userinfo=b"")).rstrip("/")
        account = (url.username, url.password)
    with httpx.Client(timeout=30) as client:
        made = Store(client, address, account)
        made.request("PUT").raise_for_status()
        yield made
        made.request("DELETE").raise_for_status()


@pytest.fixture
def filled(store: Store) -> Store:
    """With the documents of the recorded feed, their revisions kept."""
    created = _created_by_the_exchanges()
    with gzip.open(RECORDINGS / "changes.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines][:-1]
    documents = [
        row["doc"]
        for row in rows
        if row["id"] not in created and not row["id"].startswith("_design")
    ]
    assert store.write(*documents, new_edits=False) == []
    return store


def test_a_bare_couchdb_answers_the_exchanges_that_need_no_cht(filled: Store) -> None:
    address = filled.address.rsplit("/", 1)[0]
    with httpx.Client(timeout=30) as client:
        conversation = Conversation(client, Server(address, address), filled.name, filled.account)
        for exchange in EXCHANGES:
            if exchange["name"] in BARE:
                response = conversation.ask(exchange)
                assert response.status_code == exchange["response"]["status"], exchange["name"]
                _assert_same_body(exchange, response)


def test_two_complete_reads_differ_in_order_and_agree_in_content(filled: Store) -> None:
    reads = [
        [(row["id"], row["changes"][0]["rev"]) for row in filled.changes()["results"]]
        for _ in range(3)
    ]
    assert sorted(reads[0]) == sorted(reads[1]) == sorted(reads[2])
    assert len(set(reads[0])) == len(reads[0])
    assert not reads[0] == reads[1] == reads[2]


def test_pages_name_every_document_and_count_what_is_left(filled: Store) -> None:
    complete = {row["id"] for row in filled.changes()["results"]}
    seen: set[str] = set()
    page = filled.changes(limit=100)
    while page["results"]:
        seen |= {row["id"] for row in page["results"]}
        assert page["pending"] >= len(complete) - len(seen)
        page = filled.changes(limit=100, since=page["last_seq"])
    assert seen == complete
    assert page["pending"] == 0


def test_a_deleted_document_arrives_as_a_bare_stub(store: Store) -> None:
    [written] = store.write({"_id": "one", "text": "something"})
    since = store.changes()["last_seq"]
    deleted = store.request("DELETE", "/one", params={"rev": written["rev"]}).json()
    [row] = store.changes(since=since, include_docs="true")["results"]
    assert row["deleted"] is True
    assert row["doc"] == {"_id": "one", "_rev": deleted["rev"], "_deleted": True}


def test_a_write_over_a_tombstone_goes_through(store: Store) -> None:
    [written] = store.write({"_id": "one", "text": "something"})
    store.request("DELETE", "/one", params={"rev": written["rev"]}).raise_for_status()
    [again] = store.write({"_id": "one", "text": "something"})
    assert again["ok"]
    assert again["rev"].startswith("3-")
    assert store.request("GET", "/one").json()["text"] == "something"


def test_each_row_with_a_long_document_is_a_chunk_of_its_own(store: Store) -> None:
    store.write(*({"_id": f"document-{number}", "text": "a" * 2_000} for number in range(50)))
    address, options = f"{store.address}/_changes", {"include_docs": "true"}
    with (
        httpx.Client(timeout=LONG) as client,
        client.stream("GET", address, params=options, auth=store.account) as answer,
    ):
        chunks = list(answer.iter_raw())
    assert b"".join(chunks).count(b'"changes":[') == 50
    assert max(chunk.count(b'"changes":[') for chunk in chunks) == 1


def test_a_longpoll_is_answered_by_a_write_and_not_at_its_timeout(store: Store) -> None:
    since = store.changes()["last_seq"]
    with (
        httpx.Client(timeout=LONG) as client,
        client.stream(
            "GET",
            f"{store.address}/_changes",
            params={"feed": "longpoll", "since": since, "timeout": 60_000},
            auth=store.account,
        ) as answer,
    ):
        parts = answer.iter_text()
        beginning = next(parts)
        written_at = time.monotonic()
        store.write({"_id": "new"})
        text = beginning + "".join(parts)
        assert time.monotonic() - written_at < 30
    assert [row["id"] for row in json.loads(text)["results"]] == ["new"]


def test_a_longpoll_without_news_ends_empty_at_its_timeout(store: Store) -> None:
    since = store.changes()["last_seq"]
    page = store.changes(feed="longpoll", since=since, timeout=50)
    assert page["results"] == []
    assert store.changes(since=page["last_seq"])["results"] == []


def test_a_longpoll_with_a_heartbeat_sends_empty_lines(store: Store) -> None:
    since = store.changes()["last_seq"]
    options = {"feed": "longpoll", "since": since, "heartbeat": 40}
    with (
        httpx.Client(timeout=30) as client,
        client.stream(
            "GET", f"{store.address}/_changes", params=options, auth=store.account
        ) as answer,
    ):
        received = ""
        for part in answer.iter_text():
            received += part
            if received.count("\n") >= 4:
                break
    assert received.strip() == '{"results":['
