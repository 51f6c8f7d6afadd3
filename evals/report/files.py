"""The figures of a report as separate files for papers and slides: PNG and PDF in the light colors.

write_figures(build_page(data, for_papers=True), Path("runs/demo/figures"))
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

from evals.report.canvas import BASE, FINAL, INK, LINE, MUTED, PAPER, THIRD, WARN, drawing
from evals.report.render import Page
from rewards.contracts.files import atomic_open

LIGHT = {
    INK: "#1b1f24",
    FINAL: "#0d6f74",
    BASE: "#9aa0a6",
    WARN: "#bd5330",
    THIRD: "#7566b0",
    LINE: "#dfe1dc",
    MUTED: "#676d75",
    PAPER: "#ffffff",
}
"""The canvas's placeholder colors on white paper, as in the page's light theme."""

FORMATS = ("png", "pdf")
_PROPERTIES = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write every figure of the page; the same page gives the same bytes."""
    paths = []
    with drawing():
        for section in (*page.sections, *((page.paper,) if page.paper else ())):
            for plate in section.plates:
                use_light_colors(plate.figure)
                for suffix in FORMATS:
                    paths.append(folder / f"{section.key}-{plate.key}.{suffix}")
                    _save(plate.figure, paths[-1])
    return paths


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nameless: dict[str, Any] = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
    with atomic_open(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=200, facecolor="white", metadata=nameless)


def use_light_colors(figure: Figure) -> None:
    """Replace the placeholder colors of everything drawn."""
    for artist in figure.findobj():
        for name in _PROPERTIES:
            getter, setter = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
            if getter is not None and setter is not None:
                value = getter()
                if (replaced := _light(value)) is not None:
                    setter(replaced)


def _light(value: Any) -> Any:
    """The light colors for a color or an array of colors; None when there is no placeholder in it."""
    if isinstance(value, str) and value in ("none", "auto"):
        return None
    colors = np.atleast_2d(np.asarray(value if isinstance(value, np.ndarray) else to_rgba(value)))
    if not colors.size:
        return None
    names = [to_hex(color) for color in colors]
    if not any(name in LIGHT for name in names):
        return None
    light = [
        (*to_rgba(LIGHT.get(name, name))[:3], color[3]) for name, color in zip(names, colors, strict=True)
    ]
    return light if isinstance(value, np.ndarray) and value.ndim == 2 else light[0]
