"""Cards of published data sets and models: YAML front matter, then a Jinja template from this folder."""

from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render_card(template: str, front_matter: str, **values: Any) -> str:
    """Render `template` after the YAML `front_matter`; the same values give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["table"] = markdown_table
    return f"---\n{front_matter.strip()}\n---\n\n{environment.get_template(template).render(values)}"


def markdown_table(frame: pl.DataFrame) -> str:
    r"""Write a frame as a Markdown table, with numbers right-aligned.

    >>> print(markdown_table(pl.DataFrame({"source": ["a|b"], "rows": [1200]})))
    | source | rows |
    | --- | ---: |
    | a\|b | 1,200 |
    """
    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    rows = [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [frame.columns, rules, *rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else " ".join(str(value).replace("|", "\\|").split())
