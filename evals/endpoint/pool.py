"""A pool of OpenAI-compatible servers that share requests; the client library repeats what fails.

    pool = Pool(config)
    pool.run(requests, ask, on_answer)

Each server has its own workers, which take from one queue. A request that still fails after all its retries
goes back into the queue. Then its server is asked for its models: when it does not answer that either, it is
dead, which is said, and the others do its work. When all are dead, the run stops; answers are stored by then.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.endpoint_config import EndpointConfig, is_loopback

logger = logging.getLogger(__name__)
Request = Any
Answer = Any
MAX_TURNS = 4
"""How often a request may exhaust its retries while its server lives."""
LONGEST_PAUSE_S = 900.0
PROBE_S = 30.0
"""How long a server may take to list its models."""


class EndpointError(RuntimeError):
    """What a server refuses, or that none is left; the message says what to do."""


@dataclass(slots=True)
class Server:
    url: str
    client: Any
    n_answers: int = 0
    n_retries: int = 0
    is_dead: bool = False
    limit_field: str = "max_tokens"
    """What the server calls the largest number of tokens."""
    rest_until: float = 0.0
    """Time of the event loop until which the server asked for rest."""


@dataclass(slots=True)
class Pool:
    """The servers of one model."""

    config: EndpointConfig
    servers: list[Server] = field(default_factory=list)

    def run(
        self,
        requests: Sequence[Request],
        ask: Callable[[Server, Request], Awaitable[Answer]],
        on_answer: Callable[[Request, Answer], None],
    ) -> None:
        """Ask for every request once; EndpointError when that is impossible. `on_answer` is called in the
        order in which responses end."""
        if requests:
            asyncio.run(self._run(requests, ask, on_answer))

    async def _run(self, requests: Sequence[Request], ask: Any, on_answer: Any) -> None:
        self.servers = [Server(url, self._client(url)) for url in self.config.urls]
        try:
            await asyncio.gather(*(self._introduce(server) for server in self.servers))
            self._check_alive()
            queue: asyncio.Queue[tuple[int, Request]] = asyncio.Queue()
            for request in requests:
                queue.put_nowait((1, request))
            n_workers = min(self.config.concurrency, len(requests))
            workers = [
                asyncio.create_task(self._work(server, queue, ask, on_answer))
                for server in self.servers
                if not server.is_dead
                for _ in range(n_workers)
            ]
            await self._finish(queue, workers)
        finally:
            await asyncio.gather(*(server.client.close() for server in self.servers))

    async def _finish(self, queue: asyncio.Queue, workers: list[asyncio.Task]) -> None:
        """Wait until everything is answered, a worker fails, or no worker is left."""
        everything = asyncio.create_task(queue.join())
        left = {everything, *workers}
        try:
            while not everything.done() and left != {everything}:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            if not everything.done():
                self._check_alive()
        finally:
            for task in (everything, *workers):
                task.cancel()
            await asyncio.gather(everything, *workers, return_exceptions=True)

    async def _work(self, server: Server, queue: asyncio.Queue, ask: Any, on_answer: Any) -> None:
        import openai

        while not server.is_dead:
            turn, request = await queue.get()
            if server.is_dead:  # while this worker waited
                queue.put_nowait((turn, request))
                queue.task_done()
                return
            try:
                await asyncio.sleep(server.rest_until - asyncio.get_running_loop().time())
                answer = await ask(server, request)
            except openai.APIStatusError as error:
                if error.status_code < 500 and error.status_code not in (408, 409, 429):
                    raise EndpointError(_refusal(server, error)) from error
                await self._put_back(server, queue, turn, request, error)
            except openai.APIConnectionError as error:
                await self._put_back(server, queue, turn, request, error)
            else:
                server.n_answers += 1
                on_answer(request, answer)
            queue.task_done()

    async def _put_back(
        self, server: Server, queue: asyncio.Queue, turn: int, request: Any, error: Any
    ) -> None:
        """Return a request whose retries are used up, and find out whether the server lives."""
        if getattr(error, "code", None) == "insufficient_quota":
            raise EndpointError(_refusal(server, error)) from error
        queue.put_nowait((turn + 1, request))
        if server.is_dead or not await self._is_alive(server, error):
            return
        if turn >= MAX_TURNS:
            raise EndpointError(
                f"{server.url} lives but has failed one request {turn * (self.config.retries + 1)} times: "
                f"{_what(error)}; what was answered is kept, the same command continues"
            ) from error
        if error_pause := _retry_after(error):
            now = asyncio.get_running_loop().time()
            server.rest_until = max(server.rest_until, now + error_pause)
            logger.warning("endpoint %s asks to wait %.0f s", server.url, error_pause)

    async def _is_alive(self, server: Server, cause: Any) -> bool:
        import openai

        try:
            await server.client.with_options(max_retries=2, timeout=PROBE_S).models.list()
        except openai.APIStatusError as error:
            if error.status_code < 500:
                return True
            cause = error
        except openai.APIConnectionError:
            pass
        else:
            return True
        if not server.is_dead:
            server.is_dead = True
            others = [one.url for one in self.servers if not one.is_dead]
            logger.warning(
                "endpoint %s is gone (%s); %s",
                server.url,
                _what(cause),
                f"its work goes to {', '.join(others)}" if others else "no other is left",
            )
        return False

    async def _introduce(self, server: Server) -> None:
        """Ask for the models: a server that is not there is named, one that has another model refused."""
        import openai

        try:
            listed = await server.client.with_options(max_retries=2, timeout=PROBE_S).models.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise EndpointError(_refusal(server, error, self.config.key_variable)) from error
        except openai.APIStatusError as error:
            if error.status_code < 500:  # Some servers have no such page.
                return
            cause: Any = error
        except openai.APIConnectionError as error:
            cause = error
        else:
            names = [str(one.id) for one in listed.data or []]
            if names and self.config.model not in names:
                raise EndpointError(
                    f"{server.url} has no model {self.config.model!r}; it has {', '.join(names[:20])}"
                )
            return
        server.is_dead = True
        logger.warning("endpoint %s does not answer (%s)", server.url, _what(cause))

    def _check_alive(self) -> None:
        if all(server.is_dead for server in self.servers):
            urls = ", ".join(server.url for server in self.servers)
            raise EndpointError(
                f"no endpoint answers ({urls}); start the servers again: what was answered is kept, and the "
                "same command continues"
            )

    def _client(self, url: str) -> Any:
        import openai

        key = os.environ.get(self.config.key_variable, "")
        if key and not self.config.sends_key(url):
            logger.warning(
                "endpoint %s: $%s is not sent in plain text to another machine; name a variable for it "
                "(--key-variable) if it should be",
                url,
                self.config.key_variable,
            )
            key = ""
        # A proxy cannot reach this machine's own servers.
        own = openai.DefaultAsyncHttpxClient(trust_env=False) if is_loopback(url) else None
        return openai.AsyncOpenAI(
            base_url=url,
            api_key=key or "none",
            max_retries=self.config.retries,
            timeout=openai.Timeout(self.config.timeout_s, connect=10.0),
            http_client=own,
        )


def _retry_after(error: Any) -> float:
    """Seconds that a server asks to wait, beyond what the client library waits by itself."""
    response = getattr(error, "response", None)
    try:
        asked = float(response.headers.get("retry-after", 0)) if response is not None else 0.0
    except ValueError:  # A date.
        return 60.0
    return min(max(asked, 0.0), LONGEST_PAUSE_S)


def _what(error: Any) -> str:
    """One line of an error, with what caused a lost connection."""
    text = str(error.__cause__ or error) if type(error).__name__ == "APIConnectionError" else str(error)
    return " ".join(text.split())[:300] or type(error).__name__


def _refusal(server: Server, error: Any, key_variable: str = "") -> str:
    hint = ""
    if error.status_code in (401, 403):
        variable = key_variable or "OPENAI_API_KEY"
        hint = f"; put its key into ${variable}, or name another variable (--key-variable)"
    return f"{server.url} refuses the request: {_what(error)}{hint}"
