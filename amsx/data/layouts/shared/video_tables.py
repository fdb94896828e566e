"""Tables of videos in CSV, such as BSN's video_info.csv: told from features by their header."""

import csv
from pathlib import Path

from amsx.files import as_text

VIDEO_COLUMNS = {"video", "videoid", "videoname", "id", "name"}  # in lower case, letters alone
FIRST_LINE = 4096  # bytes in which the header of a table of videos ends


def subset_columns(path: Path) -> tuple[int, int] | None:
    """Where a table has the ids and the subsets of videos; None where it is no such table."""
    with path.open("rb") as file:
        start = file.read(FIRST_LINE)
    try:
        header = next(csv.reader([as_text(start.split(b"\n")[0], str(path))]), [])
    except (ValueError, csv.Error):
        return None
    plain = ["".join(filter(str.isalpha, field.lower())) for field in header]
    videos = [i for i, name in enumerate(plain) if name in VIDEO_COLUMNS]
    return (videos[0], plain.index("subset")) if len(videos) == 1 and plain.count("subset") == 1 else None
