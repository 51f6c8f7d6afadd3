"""What Math-Verify reads of reference answers, asked of the library itself."""

import logging

import polars as pl
import pytest

from curation.audit import readings
from curation.audit.readings import second_readings

GOLDS = {
    r"\frac{1}{2}": True,
    "0.5": True,
    "$x^2+1$": True,
    "12": True,
    r"\begin{pmatrix}1\\2\end{pmatrix}": True,
    "1 or 2": True,
    "5 apples": True,
    r"\sqrt{": False,
    "A}": False,
    r"\frac{9 \pi}{2} $.": False,
    "$$": False,
    "": False,
}


def test_answers_that_math_verify_reads():
    found = second_readings(pl.Series(list(GOLDS)), is_asked=True)
    assert dict(zip(GOLDS, found, strict=True)) == GOLDS


def test_nothing_is_asked_unless_wanted():
    found = second_readings(pl.Series(["1", "2"]), is_asked=False)
    assert found.dtype == pl.Boolean and found.to_list() == [None, None]


def test_a_missing_library_is_said(monkeypatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(readings, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        assert second_readings(pl.Series(["1"]), is_asked=True).to_list() == [None]
    assert "pip install 'reasoner-zero[math-verify]'" in caplog.text
