"""Plain ActivityNet annotation and one file of features per video that is no .npy (those are ActionFormer's layout).

    <name>.json                        in the folder or its annotations/: {"database": {id: {"subset", "duration",
                                       "annotations": [{"label", "segment"}]}}}
    <features>/<id>.{npz,h5,pt,...}    (n, D), in one folder below, or beside the JSON; often <prefix> = v_
    <name>.hdf5                        or all videos in one file (ActivityNet's C3D): <prefix><id> is the array, or a
                                       group that has it

Without fps in the annotation, a video's snippets share its duration evenly.
"""

from collections.abc import Mapping
from pathlib import Path

from amsx.data.layouts.assembly import Policy
from amsx.data.layouts.per_video import holds, read_per_video, says_frame
from amsx.data.videos import Dataset, Subset

KINDS = (".npz", ".h5", ".hdf5", ".pt", ".pth", ".csv", ".pkl", ".pickle")
HOLDS = "a JSON annotation, and <id>.{npz,h5,pt,pth,csv,pkl} or one HDF5 file of all, beside it or in one folder"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return holds(root, KINDS) and not says_frame(root)


def read(
    root: Path,
    *,
    annotation: Path | str | None = None,
    features: Path | str | None = None,
    prefix: str | None = None,
    key: str | None = None,
    stride: float | None = None,
    num_frames: int | None = None,
    fps: float | None = None,
    split: bool | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `annotation` and `features` (a folder, or an HDF5 file) are needed where the folder holds several candidates;
    `prefix` precedes the id in the names of features (default: none, or "v_" where only that is there). `key` names the
    array in files, or groups, that hold several.
    `stride` and `num_frames` are in frames: by default derived from the videos' frames (or duration * fps) and the
    features' rows; `fps` serves entries that have none. `split`: take the columns' halves as rgb
    and flow (default: when there are 2048). `subsets` says which subsets as written are "train" and "test", leaving out
    all others; the default is in `roles.subset_roles`.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted.
    """
    return read_per_video(
        root,
        "activity_net",
        KINDS,
        annotation=annotation,
        features=features,
        prefix=prefix,
        key=key,
        stride=stride,
        num_frames=num_frames,
        fps=fps,
        split=split,
        subsets=subsets,
        missing=missing,
        broken=broken,
        unlabelled=unlabelled,
    )
