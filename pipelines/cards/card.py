"""Cards of published data sets and models: YAML front matter, then a Jinja template from this folder."""

import re
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
    environment.filters["text"] = markdown_text
    environment.filters["fenced"] = fenced
    return f"---\n{front_matter.strip()}\n---\n\n{environment.get_template(template).render(values)}"


def markdown_table(frame: pl.DataFrame) -> str:
    r"""Write a frame as a Markdown table, with numbers right-aligned; data stay text.

    >>> print(markdown_table(pl.DataFrame({"source": ["a|b"], "rows": [1200]})))
    | source | rows |
    | --- | ---: |
    | a&#124;b | 1,200 |
    """
    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    names = [markdown_text(name) for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [names, rules, *rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else markdown_text(str(value))


# A character reference is never structure in Markdown, whatever stands before it.
_REFERENCES = str.maketrans({mark: f"&#{ord(mark)};" for mark in "&<>|`*~$\\"})


def markdown_text(text: str) -> str:
    r"""Text from data as one line of Markdown that shows it and means nothing else: no element, link or code.

    >>> markdown_text("<b> [x](y)\n| z")
    '&#60;b&#62; [x&#93;(y) &#124; z'
    """
    one_line = " ".join(text.translate(_REFERENCES).split())
    return re.sub(r"\](?=[(\[:])", "&#93;", one_line)  # Makes a link; other brackets are intervals.


def fenced(text: str) -> str:
    """Text from data as a block of code that it cannot end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"
