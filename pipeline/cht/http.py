"""The HTTP door: what may go wrong with a call to the CHT, sorted by what to do about it.

Of what the CHT says only `error` and `reason` are repeated, since other parts may hold a document.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar, Unpack

import httpx
import msgspec

from pipeline.cht.urllib3_transport import NoTls, UntrustedCertificate, Wire
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError

Shape = TypeVar("Shape")

_LONGEST_WORDS = 200
_ANOTHER_AUTHORITY = (
    "set SSL_CERT_FILE to a PEM file with the certificate of the authority that signed it"
)
_WRONG_NAME = "set COUCHDB_HOST to the name that it was made for"
# By OpenSSL's reason (x509_vfy.h): not valid yet, no longer valid, another name, another address.
_REMEDIES = {
    9: "set this machine's clock, or wait until it is valid",
    10: "it must be renewed",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}


class Unauthorized(Refused):
    """The CHT does not know the name, the password or the session."""


class TooManyFailed(Unavailable):
    """The CHT's own limit on failed sign-ins is reached, for the name or the address."""


class WebPage(Refused):
    """A page for people came in place of data: from the CHT, or from somebody on the way."""


class Closed(WorklistError):
    """We have closed this door ourselves: nothing is asked through it any more."""


class RequestRefused(Refused):
    """The request as a whole was found faulty or too large; parts of it may be accepted.

    `words` are the CHT's own.
    """

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words


class Details(TypedDict):
    """What a request may carry; `longer_seconds` is how much longer than usual it may take."""

    query: NotRequired[Mapping[str, str]]
    body: NotRequired[bytes]
    headers: NotRequired[Mapping[str, str]]
    longer_seconds: NotRequired[float]


class Door:
    """Calls one CHT. Cookies are never kept, so that no user is ever taken for another."""

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
        self.place = f"The CHT at {url}"
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        try:
            self._http = httpx.Client(
                base_url=url,
                auth=account,
                headers={**headers, "Accept": "application/json"},
                follow_redirects=False,
                trust_env=False,
                transport=transport or Wire(trusted),
            )
        except httpx.InvalidURL as error:
            raise SettingsWrong(f"{url} is no address of a CHT: {error}") from error
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **details: Unpack[Details]) -> httpx.Response:
        """The answer of a CHT that agreed; anything else is Refused or SettingsWrong."""
        return self.agreed(self.exchange(method, path, **details))

    def exchange(self, method: str, path: str, **details: Unpack[Details]) -> httpx.Response:
        """The answer, whatever it says; Unavailable when none came or the server is at fault."""
        with self._opened(method, path, details) as response:
            response.read()
        return self._able(response)

    @contextmanager
    def streamed(
        self, method: str, path: str, **details: Unpack[Details]
    ) -> Iterator[Iterator[bytes]]:
        """The body of a CHT that agreed, in pieces; errors as of `ask`, also between pieces."""
        with self._opened(method, path, details) as response:
            if response.status_code >= 300 or is_web_page(response):
                response.read()
            self.agreed(self._able(response))
            yield response.iter_bytes()

    @contextmanager
    def _opened(self, method: str, path: str, details: Details) -> Iterator[httpx.Response]:
        headers = dict(details.get("headers", {}))
        if "body" in details:
            headers["Content-Type"] = "application/json"
        read_seconds = self._read_seconds + details.get("longer_seconds", 0)
        try:
            with self._http.stream(
                method,
                path,
                params=details.get("query"),
                content=details.get("body"),
                headers=headers,
                timeout=httpx.Timeout(read_seconds, connect=self._connect_seconds),
            ) as response:
                yield response
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.place} did not answer in time.") from error
        except httpx.LocalProtocolError:  # its text repeats the header, which may be a secret
            raise Refused("A name or cookie cannot be sent to the CHT as it is.") from None
        except UntrustedCertificate as error:
            raise SettingsWrong(
                f"{self.place} shows a certificate that is not trusted ({error}): "
                f"{_REMEDIES.get(error.code, _ANOTHER_AUTHORITY)}."
            ) from error
        except NoTls as error:
            raise SettingsWrong(
                f"{self.place} does not speak TLS there: set COUCHDB_SECURE=false, or COUCHDB_PORT "
                "to the port that does."
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.place} cannot be reached: {error}.") from error
        except RuntimeError as error:  # httpx has no error of its own for it
            if not self._http.is_closed:
                raise
            raise Closed(f"{self.place} is not asked any more.") from error

    def _able(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == 429:
            raise TooManyFailed(
                f"{self.place} has seen too many failed sign-ins: wait ten seconds."
            )
        if response.status_code >= 500:
            raise Unavailable(f"{self.place} is in trouble{_said(response)}")
        return response

    def agreed(self, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if self._wants_tls(response):
            raise SettingsWrong(
                f"{self.place} wants TLS: set COUCHDB_SECURE=true, and COUCHDB_PORT to its port, "
                "usually 443."
            )
        if is_web_page(response):
            raise WebPage(
                f"{self.place} answered with a login page instead of data: check its address and "
                "the account."
            )
        if status < 400:
            return response
        said = _said(response)
        if status == 404:
            raise SettingsWrong(
                f"{self.place} has no {response.url.path}{said} Check the names of its databases."
            )
        if status == 401:
            raise Unauthorized(f"{self.place} does not accept the name or password{said}")
        if status in {400, 413}:
            raise RequestRefused(f"{self.place} refused the request{said}", words(response))
        raise Refused(f"{self.place} does not allow this{said}")

    def _wants_tls(self, response: httpx.Response) -> bool:
        """Sent to https, or told by nginx, the CHT's proxy, that its port speaks nothing else."""
        if self._http.base_url.scheme != "http":
            return False
        is_sent = response.headers.get("location", "").startswith("https:")
        return is_sent or (response.status_code == 400 and b"to HTTPS port" in response.content)

    def read(self, response: httpx.Response, shape: type[Shape]) -> Shape:
        """The answer's JSON; Unavailable when it is cut off or something else altogether."""
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.unreadable() from error

    def unreadable(self) -> Unavailable:
        return Unavailable(f"{self.place} answered something that cannot be read.")


def is_web_page(response: httpx.Response) -> bool:
    """Whether a person is being asked to sign in: the CHT never sends a program elsewhere."""
    is_html = response.headers.get("content-type", "").startswith("text/html")
    return is_html or 300 <= response.status_code < 400


def words(response: httpx.Response) -> str:
    """The CHT's own `error` and `reason`, or nothing."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return ""
    return own_words(said.get("error"), said.get("reason")) if isinstance(said, dict) else ""


def own_words(error: object, reason: object) -> str:
    parts = [part.strip(" .") for part in (error, reason) if isinstance(part, str)]
    return ": ".join(part for part in parts if part)[:_LONGEST_WORDS]


def _said(response: httpx.Response) -> str:
    """The end of a sentence: the CHT's own words where it gave any."""
    said = words(response)
    return f" ({response.status_code}: {said})." if said else f" ({response.status_code})."


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
