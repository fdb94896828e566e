"""ActionFormer's layout.

    <name>.json            in the folder or its annotations/: {"database": {id: {"subset", "duration", "fps",
                           "annotations": [{"label", "segment", "label_id"}]}}}; "frames" where it is there
    <features>/<id>.npy    (n, D), in one folder below, or beside the JSON

The centre of snippet i is at (i * stride + num_frames / 2) / fps seconds; ActionFormer's THUMOS14 features
have stride 4 and num_frames 16.
"""

from collections.abc import Mapping
from pathlib import Path

from amsx.data.layouts.assembly import Policy
from amsx.data.layouts.per_video import holds, read_per_video, says_frame
from amsx.data.videos import Dataset, Subset

KINDS = (".npy",)
HOLDS = "a JSON annotation, and <id>.npy beside it or in one folder"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return holds(root, KINDS) and not says_frame(root)


def read(
    root: Path,
    *,
    annotation: Path | str | None = None,
    features: Path | str | None = None,
    prefix: str | None = None,
    stride: float | None = None,
    num_frames: float | None = None,
    fps: float | None = None,
    split: bool | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `annotation` and `features` are needed where the folder holds several candidates; `prefix` precedes the id in file
    names (default: none, or "v_" where only that is there). `stride` and `num_frames` are in frames: by default
    derived from the videos' frames (or duration * fps) and the features' rows; `fps` serves entries that have none.
    `split`: take the columns' halves as rgb
    and flow (default: when there are 2048). `subsets` says which subsets as written are "train" and "test", leaving out
    all others; the default is in `roles.subset_roles`.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted.
    """
    return read_per_video(
        root,
        "action_former",
        KINDS,
        annotation=annotation,
        features=features,
        prefix=prefix,
        stride=stride,
        num_frames=num_frames,
        fps=fps,
        split=split,
        subsets=subsets,
        missing=missing,
        broken=broken,
        unlabelled=unlabelled,
    )
