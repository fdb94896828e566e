"""OpenTAD's layout.

    <name>.json                             in the folder or its annotations/: {"database": {id: {"subset", "duration",
                                            "frame", "annotations": [{"label", "segment"}]}}}
    <features>/<id>.{npy,npz,pt,csv,pkl}    (n, D), in one folder below, or beside the JSON

Snippet i is centred at (i * stride + offset) / fps seconds, where fps = frame / duration; for THUMOS14, stride is 4 and
offset 8. Segments labelled Ambiguous are no action; they are left out and counted.
"""

from collections.abc import Mapping
from pathlib import Path

from amsx.data.layouts.assembly import Policy
from amsx.data.layouts.per_video import holds, read_per_video, says_frame
from amsx.data.videos import Dataset, Subset

KINDS = (".npy", ".npz", ".pt", ".csv", ".pkl")
HOLDS = "a JSON annotation with frame counts, and <id>.{npy,npz,pt,csv,pkl} beside it or in one folder"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return holds(root, KINDS) and says_frame(root)


def read(
    root: Path,
    *,
    annotation: Path | str | None = None,
    features: Path | str | None = None,
    prefix: str | None = None,
    key: str | None = None,
    stride: float | None = None,
    offset: float | None = None,
    fps: float | None = None,
    split: bool | None = None,
    subsets: Mapping[str, Subset] | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `annotation` and `features` are needed where the folder holds several candidates; `prefix` precedes the id in file
    names (default: none, or "v_" where only that is there). `key` names the array in files that hold several.
    `stride` and `offset` are in frames: by default derived from the videos' frames and the features' rows; `fps` serves
    entries without a duration. `split`: take the columns' halves as rgb
    and flow (default: when there are 2048). `subsets` says which subsets as written are "train" and "test", leaving out
    all others; the default is in `roles.subset_roles`.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted.
    """
    if offset is not None and not offset > 0:
        raise ValueError(f"{root}: offset must be positive, got {offset}")
    return read_per_video(
        root,
        "opentad",
        KINDS,
        annotation=annotation,
        features=features,
        prefix=prefix,
        key=key,
        stride=stride,
        num_frames=None if offset is None else 2 * offset,
        fps=fps,
        split=split,
        subsets=subsets,
        missing=missing,
        broken=broken,
        unlabelled=unlabelled,
        skip_labels=("Ambiguous",),
    )
