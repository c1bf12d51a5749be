"""urllib3 as httpx's transport: CouchDB sends each row as an HTTP chunk, and httpx's own transport,
which parses chunks in Python, needs two to three times the CPU (docs/decisions/sync-speed.md).
"""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import urllib3

from pipeline.errors import SettingsWrong

_PIECE_BYTES = 256 * 1024
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


class UntrustedCertificate(httpx.ConnectError):
    """The certificate is not trusted; `code` is OpenSSL's reason."""

    def __init__(self, error: ssl.SSLCertVerificationError) -> None:
        super().__init__(error.verify_message.rstrip("."))
        self.code = error.verify_code


class NoTls(httpx.ConnectError):
    """The server does not speak TLS."""


class Urllib3Transport(httpx.BaseTransport):
    """Keeps connections alive, is thread-safe, and neither retries nor follows redirects.

    The certificates in the file `authorities` are trusted besides those of the system.
    """

    def __init__(self, authorities: Path | None = None) -> None:
        ssl_context = _ssl_context(authorities) if authorities else None
        self._pools = urllib3.PoolManager(maxsize=8, ssl_context=ssl_context)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions["timeout"]
        with _translated():
            response = self._pools.urlopen(
                request.method,
                str(request.url),
                body=request.read() or None,
                headers=dict(request.headers.items()),
                timeout=urllib3.Timeout(connect=limits["connect"], read=limits["read"]),
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        headers = list(response.headers.iteritems())
        return httpx.Response(response.status, headers=headers, stream=_Body(response))

    def close(self) -> None:
        self._pools.clear()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._is_read = False

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            while piece := self._response.read(_PIECE_BYTES):
                yield piece
        self._is_read = True

    def close(self) -> None:
        """A connection whose response was not read to its end cannot be reused."""
        if self._is_read:
            self._response.release_conn()
        else:
            self._response.close()


def _ssl_context(authorities: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(authorities)
    except OSError as error:  # ssl's own error, of a file that holds no certificate, is one too
        reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsWrong(
            f"SSL_CERT_FILE: {authorities} cannot be used ({reason}). Name a PEM file with the "
            "certificate of the authority that signed the CHT's."
        ) from error
    return context


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.SSLError as error:
        raise _tls_error(error) from error
    except urllib3.exceptions.NewConnectionError as error:  # a timeout to urllib3
        raise httpx.ConnectError(_reason(error)) from error
    except urllib3.exceptions.TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except urllib3.exceptions.LocationValueError as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except (ValueError, UnicodeError):  # its message repeats the header, which may be a secret
        raise httpx.LocalProtocolError("a header cannot be sent as it is") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise httpx.NetworkError(_reason(error)) from error


def _tls_error(error: urllib3.exceptions.SSLError) -> httpx.TransportError:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return UntrustedCertificate(cause)
    if isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS:
        return NoTls(cause.reason)
    return httpx.NetworkError(_reason(error))


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _reason(error: Exception) -> str:
    """The operating system's message, without the internals of urllib3 and http.client."""
    cause = _cause(error)
    if isinstance(cause, OSError) and not isinstance(cause, http.client.HTTPException):
        return cause.strerror or str(cause)
    return "the connection was lost"
