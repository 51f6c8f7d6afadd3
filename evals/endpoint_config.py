"""The section [evals.endpoint]: servers with the OpenAI API that sample in place of a model folder."""

import ipaddress
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from rewards.contracts.settings import Operation, Settings

KEY = "OPENAI_API_KEY"


class EndpointConfig(Settings):
    """Servers of one model. Profile chat asks their chat API, other profiles their completions API."""

    model: str
    """Name of the model, as the servers' /models lists it."""
    version: str = ""
    """Your name for the weights behind the model's name. Servers do not tell when these change: give it
    another value then, and everything is sampled anew."""
    urls: Operation[tuple[str, ...]] = Field(min_length=1)
    """Addresses such as http://127.0.0.1:8000/v1; several share the work."""
    key_variable: Operation[str] = KEY
    """Environment variable with the API key. OPENAI_API_KEY is sent over https and to this machine only."""
    concurrency: Operation[int] = Field(64, ge=1)
    """Requests in flight, per server."""
    retries: Operation[int] = Field(8, ge=0)
    """How often a request is repeated before its server is asked whether it lives. The pauses double up to 8
    seconds, or are as long as the server says (Retry-After, up to two minutes)."""
    timeout_s: Operation[float] = Field(3600.0, gt=0)
    """Longest wait for one response, in seconds."""

    @field_validator("urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.username or parts.password or parts.query or parts.fragment:
                raise ValueError(
                    "an endpoint's URL must not contain a user, password or key, since it is written to the "
                    "run's folder; put the key into an environment variable (key_variable)"
                )
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url!r} is no address; give one such as http://127.0.0.1:8000/v1")
        return tuple(dict.fromkeys(url.rstrip("/") for url in urls))

    @model_validator(mode="after")
    def _has_a_model(self) -> Self:
        if not self.model:
            raise ValueError("name the model, as the server's /models lists it")
        return self

    def sends_key(self, url: str) -> bool:
        """The usual key goes to no other machine in plain text; a variable named on purpose does."""
        return self.key_variable != KEY or url.startswith("https:") or is_loopback(url)


def is_loopback(url: str) -> bool:
    """
    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("http://localhost/v1"), is_loopback("http://a.b/")
    (True, True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
