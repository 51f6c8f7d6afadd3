"""Nobody sees nothing: lines while a stage has nothing to report yet."""

import logging

import pytest

from pipelines.jobs import progress
from pipelines.jobs.progress import Progress


def test_a_stage_that_has_not_begun_says_so_until_it_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET_INTERVAL_S", 0.01)
    caplog.set_level(logging.INFO)
    with Progress("train", "steps") as shown:
        while len(caplog.messages) < 2:
            pass  # the waiting thread writes
        shown.advance(1, 2)
        n = len(caplog.messages)
        assert all(line.startswith("stage=train starting: ") for line in caplog.messages[: n - 1])
        shown.advance(2, 2)
    assert caplog.messages[n:] == ["stage=train steps=2/2 "]
