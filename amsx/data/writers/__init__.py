"""One writer per layout, the counterparts of the readers in `amsx.data.layouts`.

A writer is a module with `write(dataset, root) -> options`: it fills the folder `root` with what the layout's own
projects read, and returns the options with which the layout's reader gives the most of it back. What a layout has no
place for is left out in silence here: `amsx.data.convert` reads the folder again and says what is not the same.
"""

from pathlib import Path
from typing import Any, Literal, get_args

from amsx.data.layouts.cmcs import STREAMS
from amsx.data.videos import Dataset
from amsx.data.writers import (
    a2cl_pt,
    acm_net,
    action_former,
    activity_net,
    bas_net,
    cmcs,
    dgam,
    opentad,
    wtalc,
)

Target = Literal["bas_net", "acm_net", "action_former", "wtalc", "a2cl_pt", "cmcs", "dgam", "opentad", "activity_net"]

NAMED = ("cmcs", "dgam")  # layouts whose files are named for the streams, rgb and flow
LISTS = ("bas_net", "acm_net", "dgam")  # layouts that list ids between spaces and line ends
LABELLED = ("a2cl_pt", "dgam")  # layouts in which a set without any label is none


def write(dataset: Dataset, root: Path, to: Target) -> dict[str, Any]:
    """Write `dataset`, which `check` has let through, into the empty folder `root`; the reader's options."""
    writers = {
        "bas_net": bas_net.write,
        "acm_net": acm_net.write,
        "action_former": action_former.write,
        "wtalc": wtalc.write,
        "a2cl_pt": a2cl_pt.write,
        "cmcs": cmcs.write,
        "dgam": dgam.write,
        "opentad": opentad.write,
        "activity_net": activity_net.write,
    }
    return writers[to](dataset, root)


def check(dataset: Dataset, to: Target) -> None:
    """ValueError where `to` is no layout, or one that cannot hold this data set at all."""
    if to not in get_args(Target):
        raise ValueError(f"cannot write the layout {to!r}, expected one of {', '.join(get_args(Target))}")
    odd = [video.id for video in dataset.videos if not video.id or Path(video.id).name != video.id]
    if odd:
        raise ValueError(f"video id {odd[0]!r} can be no file name")
    parted = [video.id for video in dataset.videos if len(video.id.split()) != 1 or video.id.strip() != video.id]
    if to in LISTS and parted:
        raise ValueError(f"the layout {to} lists ids between spaces and line ends, which {parted[0]!r} has")
    others = [name for name in dataset.stream_names if name not in STREAMS]
    if to in NAMED and others:
        raise ValueError(
            f"the layout {to} holds the streams {' and '.join(STREAMS)} alone, got {others[0]!r}; "
            "where that is both side by side, read it with split=true"
        )
    if to in LABELLED and not any(video.labels for video in dataset.videos):
        raise ValueError(f"the layout {to} needs labels, and no video has one")
