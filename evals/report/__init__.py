"""The report of a run: one self-contained HTML page made from `ReportData`."""

from evals.report.data import Headline, ReportData, headlines
from evals.report.render import render_report

__all__ = ["Headline", "ReportData", "headlines", "render_report"]
