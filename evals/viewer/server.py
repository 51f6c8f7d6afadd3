"""The viewer's server: on loopback only, and only for those who have its address with the token in it.

    with serving(Responses(sets), "demo") as address:
        ...                                      # http://127.0.0.1:40123/<token>/

Everything without the token is answered with 401, and a Host header of another name with 400, so that no page
on the web can ask this server through a name of its own.
"""

import json
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from evals.viewer.page import render_viewer
from evals.viewer.tables import Responses

LOOPBACK = "127.0.0.1"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}


def make_server(
    responses: Responses, title: str, *, first: str = "", report: Path | None = None, port: int = 0
) -> tuple[uvicorn.Server, socket.socket, str]:
    """A server, the socket it listens on, and the address to open; run it with `server.run([socket])`.

    Port 0: a free one. OSError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    app = make_app(responses, title, token, first=first, report=report)
    listening = socket.create_server((LOOPBACK, port))
    config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off", server_header=False)
    return uvicorn.Server(config), listening, f"http://{LOOPBACK}:{listening.getsockname()[1]}/{token}/"


def make_app(
    responses: Responses, title: str, token: str, *, first: str = "", report: Path | None = None
) -> Starlette:
    """The application, with the first index made; `report` is the run's report.html, served if it exists."""
    has_report = report is not None and report.is_file()
    link = "../report.html?viewer" if has_report else ""

    @lru_cache(maxsize=2)
    def page(sets: str) -> str:
        return render_viewer(title, json.loads(sets), "server", first=first, report=link)

    def render() -> str:
        responses.refresh()
        return page(json.dumps(responses.describe()))

    @lru_cache(maxsize=4)
    def index(name: str, step: int | None) -> bytes:
        return bytes(JSONResponse(responses.index(name, step)).body)

    sets = responses.describe()
    opened = next((each for each in sets if each["name"] == first), sets[0])
    index(opened["name"], (opened["steps"] or [None])[-1])

    async def show_page(_: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(render))

    async def show_report(_: Request) -> Response:
        if not has_report or report is None:
            return PlainTextResponse("this run has no report yet", 404)
        return FileResponse(report, media_type="text/html")

    def answer(ask: Callable[[Request, str, int | None], Any]) -> Callable[[Request], Any]:
        async def respond(request: Request) -> Response:
            try:
                name, step = _place(request)
                found = await run_in_threadpool(ask, request, name, step)
                is_made = isinstance(found, bytes)
                return Response(found, media_type="application/json") if is_made else JSONResponse(found)
            except (KeyError, ValueError):
                return PlainTextResponse("no such response", 404)

        return respond

    routes = [
        Route("/view/", show_page),
        Route("/view/index.html", show_page),
        Route("/report.html", show_report),
        Route("/view/api/index", answer(lambda _, name, step: index(name, step))),
        Route("/view/api/text", answer(lambda ask, name, step: responses.text(name, step, _row(ask)))),
        Route("/view/api/search", answer(lambda ask, name, step: responses.search(name, step, _query(ask)))),
    ]
    hosts = [LOOPBACK, "localhost"]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Guard, token=token)]
    return Starlette(routes=routes, middleware=guards)


class Guard:
    """Lets through what begins with the token, and takes it off; sets the headers of every answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(key.encode(), value.encode()) for key, value in HEADERS.items()]
            await send(message)

        given, slash, rest = scope["path"].removeprefix("/").partition("/")
        known = secrets.compare_digest(given.encode(), self.token.encode())
        if scope["type"] != "http" or not known or not slash:
            refusal = PlainTextResponse("the address needs its token: copy it whole", 401)
            await refusal(scope, receive, send_with_headers)
            return
        inner = dict(scope) | {"path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        await self.app(inner, receive, send_with_headers)


def _place(request: Request) -> tuple[str, int | None]:
    step = request.query_params.get("step")
    return request.query_params["set"], None if step is None else int(step)


def _row(request: Request) -> int:
    return int(request.query_params["row"])


def _query(request: Request) -> str:
    return request.query_params["query"][:1000]
