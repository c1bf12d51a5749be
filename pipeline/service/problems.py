"""What went wrong, as people (a page) and programs (RFC 9457) read it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from pipeline.service import rendering


def is_api(path: str) -> bool:
    return path.startswith("/api/")


def refusal(
    path: str, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem for programs under /api, a page for everybody else."""
    if is_api(path):
        return problem(status, detail, headers=headers)
    page = rendering.page("problem.html", status=status, detail=detail)
    return HTMLResponse(page, status, headers=dict(headers or {}))


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """`errors` name the fields that were wrong: `{"field": …, "detail": …}`."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"errors": list(errors)} if errors else {}),
        **members,
    }
    return JSONResponse(
        content, status, headers=dict(headers or {}), media_type="application/problem+json"
    )
