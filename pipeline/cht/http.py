"""HTTP requests to the CHT, and their failures, sorted by what to do about them.

Of an error response only `error` and `reason` are repeated: other parts may hold a document.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar, Unpack

import httpx
import msgspec

from pipeline.cht.urllib3_transport import NoTls, UntrustedCertificate, Urllib3Transport
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError

Shape = TypeVar("Shape")

_LONGEST_REASON = 200
_ANOTHER_AUTHORITY = (
    "set SSL_CERT_FILE to a PEM file with the certificate of the authority that signed it"
)
_WRONG_NAME = "set COUCHDB_HOST to the name that it was issued for"
# By OpenSSL's reason (x509_vfy.h): not valid yet, no longer valid, another name, another address.
_REMEDIES = {
    9: "set the clock of this machine, or wait until the certificate is valid",
    10: "have it renewed",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}


class Unauthorized(Refused):
    """The CHT does not know the name, the password or the session."""


class TooManyFailed(Unavailable):
    """The CHT's own limit on failed sign-ins is reached, for the name or the address."""


class WebPage(Refused):
    """An HTML page came instead of JSON: from the CHT, or from a proxy in between."""


class ClientClosed(WorklistError):
    """The client was closed in this process while a request was under way."""


class RequestRefused(Refused):
    """The request as a whole was rejected as malformed or too large; parts of it may be accepted.

    `reason` is the CHT's own.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RequestOptions(TypedDict):
    """`longer_seconds` is added to the usual read timeout."""

    query: NotRequired[Mapping[str, str]]
    body: NotRequired[bytes]
    headers: NotRequired[Mapping[str, str]]
    longer_seconds: NotRequired[float]


class HttpClient:
    """One CHT. Cookies are never kept, so that no user is ever taken for another."""

    def __init__(
        self,
        url: str,
        account: tuple[str, str] | None,
        headers: Mapping[str, str],
        connect_seconds: float,
        read_seconds: float,
        authorities: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        trusted = authorities if url.startswith("https:") else None
        self.label = f"The CHT at {url}"
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        try:
            self._http = httpx.Client(
                base_url=url,
                auth=account,
                headers={**headers, "Accept": "application/json"},
                follow_redirects=False,
                transport=transport or Urllib3Transport(trusted),
            )
        except httpx.InvalidURL as error:
            raise SettingsWrong(f"{url} is not the URL of a CHT: {error}") from error
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        """A successful response; anything else raises Refused or SettingsWrong."""
        return self.checked(self.send(method, path, **options))

    def send(self, method: str, path: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        """The response, whatever its status; Unavailable when there is none, or a server error."""
        with self._opened(method, path, options) as response:
            response.read()
        return self._available(response)

    @contextmanager
    def streamed(
        self, method: str, path: str, **options: Unpack[RequestOptions]
    ) -> Iterator[Iterator[bytes]]:
        """The body of a successful response; errors as of `request`, also between its pieces."""
        with self._opened(method, path, options) as response:
            if response.status_code >= 300 or is_web_page(response):
                response.read()
            self.checked(self._available(response))
            yield response.iter_bytes()

    @contextmanager
    def _opened(self, method: str, path: str, options: RequestOptions) -> Iterator[httpx.Response]:
        headers = dict(options.get("headers", {}))
        if "body" in options:
            headers["Content-Type"] = "application/json"
        read_seconds = self._read_seconds + options.get("longer_seconds", 0)
        try:
            with self._http.stream(
                method,
                path,
                params=options.get("query"),
                content=options.get("body"),
                headers=headers,
                timeout=httpx.Timeout(read_seconds, connect=self._connect_seconds),
            ) as response:
                yield response
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.label} did not answer in time.") from error
        except httpx.LocalProtocolError:  # its text repeats the header, which may be a secret
            raise Refused(
                "The name or cookie contains characters that cannot be sent to the CHT."
            ) from None
        except UntrustedCertificate as error:
            raise SettingsWrong(
                f"{self.label} has a certificate that is not trusted ({error}): "
                f"{_REMEDIES.get(error.code, _ANOTHER_AUTHORITY)}."
            ) from error
        except NoTls as error:
            raise SettingsWrong(
                f"{self.label} does not use TLS on this port: set COUCHDB_SECURE=false, or set "
                "COUCHDB_PORT to the port that does."
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.label} cannot be reached: {error}.") from error
        except RuntimeError as error:  # httpx has no error of its own for it
            if not self._http.is_closed:
                raise
            raise ClientClosed(
                f"{self.label} is no longer asked: the client was closed."
            ) from error

    def _available(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == 429:
            raise TooManyFailed(
                f"{self.label} has seen too many failed sign-ins: wait ten seconds."
            )
        if response.status_code >= 500:
            raise Unavailable(f"{self.label} failed{_reason_suffix(response)}")
        return response

    def checked(self, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if self._wants_tls(response):
            raise SettingsWrong(
                f"{self.label} requires TLS: set COUCHDB_SECURE=true, and COUCHDB_PORT to the "
                "port for TLS, usually 443."
            )
        if is_web_page(response):
            raise WebPage(
                f"{self.label} answered with a login page instead of data: check its address and "
                "the account."
            )
        if status < 400:
            return response
        suffix = _reason_suffix(response)
        if status == 404:
            raise SettingsWrong(
                f"{self.label} has no {response.url.path}{suffix} Check the names in COUCHDB_DBS."
            )
        if status == 401:
            raise Unauthorized(f"{self.label} does not accept the name or password{suffix}")
        if status in {400, 413}:
            raise RequestRefused(
                f"{self.label} refused the request{suffix}", error_reason(response)
            )
        raise Refused(f"{self.label} does not allow this{suffix}")

    def _wants_tls(self, response: httpx.Response) -> bool:
        """A redirect to https, or the sentence of nginx, the CHT's proxy, on a TLS port."""
        if self._http.base_url.scheme != "http":
            return False
        is_sent = response.headers.get("location", "").startswith("https:")
        return is_sent or (response.status_code == 400 and b"to HTTPS port" in response.content)

    def read(self, response: httpx.Response, shape: type[Shape]) -> Shape:
        """The response's JSON; Unavailable when it is cut off or not JSON of that shape."""
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.unreadable() from error

    def unreadable(self) -> Unavailable:
        return Unavailable(f"{self.label} sent a response that cannot be read.")


def is_web_page(response: httpx.Response) -> bool:
    """Whether somebody asks a person to sign in: the CHT redirects no program."""
    is_html = response.headers.get("content-type", "").startswith("text/html")
    return is_html or 300 <= response.status_code < 400


def error_reason(response: httpx.Response) -> str:
    """The response's `error` and `reason`, or nothing."""
    try:
        content = response.json()
    except (ValueError, RecursionError):
        return ""
    return (
        join_reason(content.get("error"), content.get("reason"))
        if isinstance(content, dict)
        else ""
    )


def join_reason(error: object, reason: object) -> str:
    parts = [part.strip(" .") for part in (error, reason) if isinstance(part, str)]
    return ": ".join(part for part in parts if part)[:_LONGEST_REASON]


def _reason_suffix(response: httpx.Response) -> str:
    """The end of a sentence, with the CHT's own reason where it gave one."""
    reason = error_reason(response)
    return f" ({response.status_code}: {reason})." if reason else f" ({response.status_code})."


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
