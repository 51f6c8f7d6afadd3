"""The viewer's page: one HTML file with its style and script, for the server and for a folder on the disk.

Its content security policy allows only that script, by its hash, and what the script loads.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals.report.samples import to_script_json
from evals.viewer.formulas import ATTRIBUTES, ELEMENTS

CHUNK = 100
"""Responses in one file of a folder."""
HERE = Path(__file__).parent


def render_viewer(
    title: str,
    sets: Sequence[dict[str, Any]],
    source: Literal["server", "folder"],
    *,
    first: str = "",
    report: str = "",
) -> str:
    """The page for these sets (`Responses.describe`); it opens with `first`, and links to `report`."""
    environment = Environment(
        loader=FileSystemLoader([HERE, HERE.parent / "report"]),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = environment.get_template("viewer.js.j2").render(
        source=f"source_{source}.js.j2",
        chunk=CHUNK,
        elements=sorted(ELEMENTS),
        attributes=sorted(ATTRIBUTES | {"class"}),
    )
    style = environment.get_template("viewer.css.j2").render()
    connect = "'self'" if source == "server" else "'none'"
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}' 'strict-dynamic'; style-src '{_digest(style)}'; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
    names = [each["name"] for each in sets]
    page = {"sets": list(sets), "first": names.index(first) if first in names else 0}
    return environment.get_template("viewer.html.j2").render(
        title=title, policy=policy, style=style, script=script, sets_json=to_script_json(page), report=report
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
