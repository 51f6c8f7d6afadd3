"""Live progress of a training run on the Prefect server: a progress bar, and a page with curves.

live = LiveTraining("demo", workspace.folder / "train" / "metrics.jsonl")
train_stage(workspace, prompts, base, live.update)
"""

import hashlib
import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx
from prefect.artifacts import Artifact, MarkdownArtifact, ProgressArtifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import Artifact as ArtifactResponse

from pipelines.orchestration.own_server import has_lost_server
from training.recorder import read_lines

logger = logging.getLogger(__name__)
INTERVAL_S = 10.0
"""Seconds between two updates; each costs two requests to the server."""
WIDTH = 60
BLOCKS = "▁▂▃▄▅▆▇█"
CURVES = {
    "reward": "reward",
    "pass_at_n": "prompts solved at least once",
    "response_tokens": "response length, tokens",
    "truncated": "truncated responses",
    "entropy": "entropy",
}
"""Columns of metrics.jsonl that are shown, and their labels."""


class LiveTraining:
    """Two artifacts of the task run that creates it; while the server is unreachable, updates are skipped."""

    def __init__(self, run: str, metrics: Path) -> None:
        self.run, self.metrics = run, metrics
        self.started: tuple[float, int] | None = None
        """Time of the first report, and its step."""
        self.last_update = -INTERVAL_S
        self.bar: UUID | None = None
        self.page: UUID | None = None

    def update(self, done: int, total: int | None) -> None:
        """Report that `done` of `total` steps are done; the artifacts change every INTERVAL_S seconds."""
        now = time.monotonic()
        self.started = self.started or (now, done)
        if total is None or (now - self.last_update < INTERVAL_S and done < total):
            return
        self.last_update = now
        text = self.render(done, total, now)
        try:
            self.send(100.0 * done / total, text)
        except httpx.HTTPError as error:
            logger.warning("the server did not accept the training progress: %s", error)

    def render(self, done: int, total: int, now: float) -> str:
        """The page, in Markdown."""
        assert self.started is not None
        steps = [record for record in read_lines(self.metrics) if record["step"] <= done]
        lines = [
            f"# Training of {self.run}",
            "",
            f"Step {done} of {total}{self.remaining(done, total, now)}.",
        ]
        if steps:
            lines += ["", "| | first | now | |", "| --- | ---: | ---: | --- |"]
        for column, name in CURVES.items() if steps else ():
            values = [float(record[column]) for record in steps if record[column] is not None]
            if values:
                lines.append(
                    f"| {name} | {values[0]:.3g} | {values[-1]:.3g} | `{sparkline(values, WIDTH)}` |"
                )
        return "\n".join(lines)

    def remaining(self, done: int, total: int, now: float) -> str:
        """Time left at the pace since the first report, as text; empty when that is unknown."""
        assert self.started is not None
        since, first = self.started
        if done in (total, first):
            return ""
        left_s = (now - since) / (done - first) * (total - done)
        return f", about {duration(left_s)} to go"

    def send(self, percent: float, text: str) -> None:
        if has_lost_server():  # Each attempt to reach it would hold up the training.
            return
        if self.bar is None or self.page is None:
            note = f"Training steps of {self.run}."
            page = MarkdownArtifact(
                markdown=text, key=artifact_key("training-live", self.run), description=f"{self.run}, live."
            )
            bar = ProgressArtifact(
                progress=percent, key=artifact_key("training-progress", self.run), description=note
            )
            self.page, self.bar = _create(page), _create(bar)
            return
        client = get_client(sync_client=True)
        client.update_artifact(self.bar, ArtifactUpdate(data=percent))
        client.update_artifact(self.page, ArtifactUpdate(data=text))


def artifact_key(name: str, run: str) -> str:
    """An artifact's key, one for each run: lower case, digits and dashes, as Prefect asks.

    A run's name with other letters keeps its key apart from its neighbors' by a hash.

    >>> artifact_key("report", "my-run-2"), artifact_key("report", "數學") == artifact_key("report", "数学")
    ('report-my-run-2', False)
    """
    key = re.sub(r"[^a-z0-9]+", "-", run.lower()).strip("-")
    digest = "" if key == run else hashlib.sha256(run.encode()).hexdigest()[:6]
    return "-".join(part for part in (name, key, digest) if part)


def _create(artifact: Artifact) -> UUID:
    made = artifact.create()
    assert isinstance(made, ArtifactResponse), "called from synchronous code"
    return made.id


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values in at most `width` characters, scaled from the smallest mean to the largest.

    >>> sparkline([0, 1, 2, 3], 10), sparkline([1, 1, 1, 5], 2), sparkline([2, 2], 5)
    ('▁▃▆█', '▁█', '▁▁')
    """
    n = min(width, len(values))
    edges = [round(place * len(values) / n) for place in range(n + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    low, high = min(means), max(means)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((mean - low) * scale)] for mean in means)


def duration(seconds: float) -> str:
    """Write a duration in a readable unit.

    >>> duration(42), duration(600), duration(20000), duration(300000)
    ('42 s', '10 min', '5.6 h', '3.5 days')
    """
    for limit, size, unit, digits in ((100, 1, "s", 0), (6000, 60, "min", 0), (172800, 3600, "h", 1)):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86400:.1f} days"
