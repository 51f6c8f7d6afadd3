"""Live progress of training on the server."""

import json
from pathlib import Path

import httpx
import pytest

from pipelines.orchestration import live_training as live
from pipelines.orchestration.live_training import LiveTraining


def write_metrics(path: Path, n_steps: int) -> None:
    """Write metrics as the recorder does, with an incomplete last line."""
    names = ("pass_at_n", "response_tokens", "truncated")
    rows = [
        {"step": s, "reward": s / n_steps, "entropy": None} | dict.fromkeys(names, 1.0)
        for s in range(1, n_steps + 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 9')


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    calls: list[tuple[float, str]] = []
    monkeypatch.setattr(LiveTraining, "send", lambda self, percent, text: calls.append((percent, text)))
    return calls


def test_page_shows_curves_and_the_time_to_go(tmp_path: Path, sent, monkeypatch: pytest.MonkeyPatch) -> None:
    write_metrics(tmp_path / "metrics.jsonl", 4)
    now = 1000.0
    monkeypatch.setattr(live.time, "monotonic", lambda: now)
    training = LiveTraining("demo", tmp_path / "metrics.jsonl")
    training.update(1, 8)
    now += live.INTERVAL_S / 2
    training.update(2, 8)  # Too soon after the last update.
    now += live.INTERVAL_S / 2
    training.update(3, 8)
    now += 1.0
    training.update(8, 8)  # The end is always shown.
    assert [percent for percent, _ in sent] == [12.5, 37.5, 100.0]
    first, middle, last = (text for _, text in sent)
    assert "Step 1 of 8." in first and "`▁`" in first
    # Two steps in ten seconds: five are left.
    assert "Step 3 of 8, about 25 s to go." in middle
    assert "| reward | 0.25 | 0.75 | `▁▅█` |" in middle and "entropy" not in middle
    assert "Step 8 of 8." in last and "| reward | 0.25 | 1 | `▁▃▆█` |" in last


def test_a_server_that_is_away_does_not_stop_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise httpx.ConnectError("nobody there")

    monkeypatch.setattr(LiveTraining, "send", fail)
    LiveTraining("demo", tmp_path / "metrics.jsonl").update(1, 1)
    assert "nobody there" in caplog.text
