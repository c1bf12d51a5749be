"""How an endpoint is called: as if it were alone, in turns with the others (`turns`)."""

import inspect
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from pipeline import turns


class Route(APIRoute):
    """FastAPI would give each call a thread, and look for parameters where there are none."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        is_wrapped = inspect.iscoroutinefunction(endpoint)  # FastAPI makes a route anew to mount it
        super().__init__(path, endpoint if is_wrapped else _in_turns(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        if list(inspect.signature(self.endpoint).parameters) != ["request"]:
            return super().get_route_handler()

        async def handler(request: Request) -> Response:
            answer: Response = await self.endpoint(request=request)
            return answer

        return handler


def _in_turns(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(endpoint)
    async def run(**given: Any) -> Any:
        return await turns.run(partial(endpoint, **given))

    return run
