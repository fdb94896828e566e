"""The plain axes and the legends of all pictures, and how they are written to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from amsx.figures.lettering import as_spelt
from amsx.files import written_whole

PictureFormat = Literal["png", "svg"]
FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)
DPI = 150  # of PNG files
SMALLEST = 8  # points of the letters at axes, legible in print


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes) -> None:
    """Remove the frame above and to the right, and set the numbers at the axes in a small font."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALLEST)


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """Set a legend of the named `handles` below everything in the figure."""
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, fontsize=9, frameon=False)


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
