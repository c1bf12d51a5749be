"""A CHT behind TLS: whose certificate is trusted, and what is said of one that is not."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from pipeline import serve as composition
from pipeline import steps
from pipeline.cht.client import ChtClient
from pipeline.cht.http import WebPage
from pipeline.errors import SettingsWrong
from pipeline.settings import Settings

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")


class _Session(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"userCtx":{"name":"worklist","roles":["mm-online"]}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """Who does not trust the certificate goes away."""


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an authority that no system knows; its certificate is `authority.pem`."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    folder = tmp_path_factory.mktemp("authority")
    request = ("req", "-x509", *_KEY, "authority.key", "-days", "2", "-subj", "/CN=authority")
    _openssl(folder, *request, "-out", "authority.pem")
    return folder


def _sign(authority: Path, name: str, days: int) -> Path:
    """A certificate of the authority for a host, with its key in front."""
    _openssl(authority, "req", *_KEY, "host.key", "-out", "host.csr", "-subj", f"/CN={name}")
    (authority / "host.ext").write_text(f"subjectAltName=DNS:{name}")
    signing = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial")
    validity = ("-days", str(days), "-extfile", "host.ext", "-out", "host.pem")
    _openssl(authority, "x509", "-req", "-in", "host.csr", *signing, *validity)
    both = authority / f"{name}{days}.pem"
    both.write_text((authority / "host.key").read_text() + (authority / "host.pem").read_text())
    return both


@contextmanager
def _serving(certificate: Path | None) -> Iterator[int]:
    """A CHT that knows one session; the port where it answers."""
    server = _Server(("127.0.0.1", 0), _Session)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


Serve = Callable[..., Settings]


@pytest.fixture
def serve(authority: Path) -> Iterator[Serve]:
    """The settings for a CHT that shows a certificate for `name`, and the authority to trust."""
    with ExitStack() as servers:

        def start(name: str = "localhost", days: int = 1, *, is_trusted: bool = True) -> Settings:
            port = servers.enter_context(_serving(_sign(authority, name, days)))
            environment = {"COUCHDB_PORT": str(port), "COUCHDB_SECURE": "true"}
            trusted = {"SSL_CERT_FILE": str(authority / "authority.pem")} if is_trusted else {}
            return Settings.read({**environment, **trusted})

        yield start


def ask(settings: Settings) -> str | None:
    """Who the CHT says we are."""
    with steps.open_cht(settings) as client:
        return client.session().name


def test_a_certificate_of_an_authority_that_is_named_is_trusted(serve: Serve) -> None:
    settings = serve()
    assert ask(settings) == "worklist"
    assert (
        composition.recognise(settings, "a-session-of-the-CHT", "10.0.0.1").user_name == "worklist"
    )


def test_a_certificate_of_another_authority_is_refused_with_what_to_set(serve: Serve) -> None:
    with pytest.raises(SettingsWrong, match=r"not trusted .* set SSL_CERT_FILE to a PEM file"):
        ask(serve(is_trusted=False))


def test_a_certificate_for_another_host_or_time_is_refused_with_what_to_do(serve: Serve) -> None:
    with pytest.raises(SettingsWrong, match="set COUCHDB_HOST to the name that it was issued for"):
        ask(serve(name="cht.example.org"))
    with pytest.raises(SettingsWrong, match="have it renewed"):
        ask(serve(days=-1))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "authority.pem"
    if content:
        path.write_text(content)
    with pytest.raises(SettingsWrong, match=r"SSL_CERT_FILE: .*authority\.pem cannot be used"):
        ChtClient("https://localhost", authorities=path)


def test_without_tls_nobody_asks_for_certificates(tmp_path: Path) -> None:
    with _serving(None) as port:
        client = ChtClient(f"http://localhost:{port}", authorities=tmp_path / "missing.pem")
        with client:
            assert client.session().name == "worklist"


def test_a_port_that_does_not_speak_tls_is_refused_by_the_name_of_the_setting() -> None:
    with (
        _serving(None) as port,
        ChtClient(f"https://localhost:{port}") as client,
        pytest.raises(SettingsWrong, match="COUCHDB_SECURE=false"),
    ):
        client.session()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(301, headers={"location": "https://cht.example/_session"}),
        httpx.Response(
            400,
            headers={"content-type": "text/html"},
            content=b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
        ),
    ],
)
def test_a_port_that_wants_tls_is_refused_by_the_name_of_the_setting(
    answer: httpx.Response,
) -> None:
    client = ChtClient("http://cht.example", transport=httpx.MockTransport(lambda _: answer))
    with client, pytest.raises(SettingsWrong, match="COUCHDB_SECURE=true"):
        client.session()


def test_a_redirect_of_a_port_with_tls_is_no_wrong_port() -> None:
    login = httpx.Response(302, headers={"location": "https://cht.example/medic/login"})
    client = ChtClient("https://cht.example", transport=httpx.MockTransport(lambda _: login))
    with client, pytest.raises(WebPage):
        client.session()
