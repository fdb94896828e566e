"""The record of an extraction is read as it was written, and refused where it is another file or says other things."""

import dataclasses
from pathlib import Path

import pytest

from amsx.data.extraction_record import (
    ExtractedVideoRecord,
    ExtractionRecord,
    ExtractorIdentity,
    feature_file,
    write_video_record,
)
from amsx.files import write_json

RGB = ExtractorIdentity("i3d", 1024, {"frames": 16}, "sha256:00", {"torch": "2.13.0"})
RECORD = ExtractionRecord(25.0, 16, {"rgb": RGB})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    video = ExtractedVideoRecord("clips/a b.mp4", 12.3, 19, ("the file is truncated",))
    RECORD.begin(tmp_path)
    write_video_record(tmp_path, "bend/a b", video)
    read = ExtractionRecord.read(tmp_path)
    assert read == dataclasses.replace(RECORD, videos={"bend/a b": video})
    assert read is not None
    assert read.snippet_seconds == 0.64
    assert feature_file(tmp_path, "rgb", "bend/a b") == tmp_path / "features/rgb/bend/a b.npy"


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    assert ExtractionRecord.read(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"database": {}}, "was not written by amsx extract"),
        ([], "was not written by amsx extract"),
        ({"format": "amsx extraction", "version": 2}, "has version 2; this amsx reads version 1"),
        ({"format": "amsx extraction", "version": 1, "fps": 25, "stride": 16}, "lacks .* 'streams'"),
        ({"format": "amsx extraction", "version": 1, "fps": 25, "stride": 16, "streams": {"rgb": {}}}, "lacks"),
        *(
            ({"format": "amsx extraction", "version": 1, "fps": fps, "stride": stride, "streams": {}}, "fps and stride")
            for fps, stride in [(25, float("inf")), (float("nan"), 16), (0, 16), (25, -1), (25, 2.5), ("25", None)]
        ),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: object, message: str) -> None:
    write_json(tmp_path / "extraction.json", content)
    with pytest.raises(ValueError, match=message):
        ExtractionRecord.read(tmp_path)


def test_a_damaged_record_of_a_video_is_refused(tmp_path: Path) -> None:
    RECORD.begin(tmp_path)
    write_json(tmp_path / "extraction" / "a.json", {"file": "a.mp4"})
    with pytest.raises(ValueError, match=r"a\.json lacks what the record of a video needs"):
        ExtractionRecord.read(tmp_path)


def test_differences_name_both_values() -> None:
    other = dataclasses.replace(RGB, weights="sha256:11", settings={"frames": 64}, packages={"torch": "2.4.1"})
    changed = ExtractionRecord(30.0, 16, {"rgb": other})
    assert RECORD.differences(RECORD) == []
    assert RECORD.differences(changed) == [
        "fps: 25.0, 30.0",
        "rgb weights: 'sha256:00', 'sha256:11'",
        "rgb settings.frames: 16, 64",
    ]
