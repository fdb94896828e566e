"""The colours and the plain axes of all pictures, and how they are written to files."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from amsx.figures.lettering import as_spelt
from amsx.files import written_whole

FORMATS = ("png", "svg")
DPI = 150  # of PNG files

# What the strips of a video and the curves over iterations show.
BASE, SUPPLEMENTARY, BOTH_BRANCHES = "#2a6f97", "#b5651d", "#222222"
CURVE, THRESHOLD, PROPOSALS, TRUTH = "#444444", "#b5651d", "#2a6f97", "#3a7d44"

# What explains a score: Okabe and Ito's palette, which the colour-blind can tell apart.
BLUE, VERMILLION, GREY, INK, GRID = "#0072B2", "#D55E00", "#9A9A9A", "#333333", "#E3E3E3"
ERRORS = {  # kind of detection -> its colour; true positives stand out
    "true positive": "#009E73",
    "double detection": "#56B4E9",
    "wrong label": "#CC79A7",
    "localization": "#0072B2",
    "confusion": "#E69F00",
    "background": "#BBBBBB",
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes, label_size: float = 8) -> None:
    """Remove the frame above and to the right, and set the numbers at the axes in a small font."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=label_size)


def save(figure: Figure, path: Path | str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write `figure` to `path` with ".png" or ".svg" appended, for every format; returns the written files.

    Each file appears whole or not at all.
    """
    written = [Path(f"{path}.{format}") for format in formats]
    with as_spelt(figure):
        for file in written:
            with written_whole(file) as temporary:
                figure.savefig(temporary, dpi=DPI)
    return written
