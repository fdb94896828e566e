"""Pictures of an explained evaluation: there, whole, and of what was measured."""

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from amsx.evaluation.explain import Explanation, explain
from amsx.figures.explanation import draw_explanation

NAMES = ["precision_recall", "errors", "sensitivity", "proposals"]


def explained(n_classes: int, found: bool = True, durations: bool = True, tiou: Any = (0.3, 0.5)) -> Explanation:
    """Classes that differ in how far off their detections are; the last has none."""
    database: dict[str, Any] = {}
    results: dict[str, Any] = {}
    for v in range(4):
        instances = [{"label": f"class {c}", "segment": [20 * c, 20 * c + 4 + c % 5 + v]} for c in range(n_classes)]
        duration = {"duration": 20 * n_classes + 10} if durations else {}
        database[f"v{v}"] = {"subset": "test", "annotations": instances, **duration}
        results[f"v{v}"] = [
            {"label": f"class {c}", "segment": [20 * c + c % 8 * v / 8, 20 * c + 6], "score": c / (v + 1)}
            for c in range(n_classes - 1)
        ]
    return explain({"results": results if found else {"v0": []}}, {"database": database}, tiou=tiou)


def texts(path: Path) -> str:
    """What an SVG says, from the comments that stand beside glyphs drawn as paths."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.parse(path, parser).getroot()
    return "\n".join(element.text or "" for element in root.iter() if element.tag is ElementTree.Comment)


@pytest.mark.parametrize("n_classes", [2, 8, 30])
def test_png_is_written(tmp_path: Path, n_classes: int) -> None:
    paths = draw_explanation(tmp_path / "new" / "folder", explained(n_classes))
    assert [path.name for path in paths] == [f"{name}.png" for name in NAMES]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.stat().st_size > 10_000
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == sorted(path.name for path in paths)


def test_svg_says_what_was_measured(tmp_path: Path) -> None:
    result = explained(4)
    curves, errors, sensitive, proposals = map(texts, draw_explanation(tmp_path, result, "svg"))
    for label, score in result.evaluation.per_class.items():
        assert f"{label}, AP {score.ap[1]:.1f}" in curves
    for name, gain in result.errors.gain.items():
        assert name in errors
        assert f"+{gain.mean_ap[1]:.1f}" in errors
    for bucket in result.sensitivity.to_json()["characteristics"]["coverage"]["buckets"]:
        assert f"{bucket['mAP_N'][1]:.1f}" in sensitive
    assert f"average (area up to 100: {result.proposals.area:.1f})" in proposals


def test_nothing_found_one_threshold_and_no_durations(tmp_path: Path) -> None:
    result = explained(3, found=False, durations=False, tiou=0.75)
    curves, errors, sensitive, proposals = map(texts, draw_explanation(tmp_path, result, "svg"))
    assert "Precision and recall at tIoU 0.75; mAP 0.0" in curves
    assert "100.0 % of the instances missed" in errors
    assert "coverage" not in sensitive
    assert "0.0 per video in all" in proposals


def test_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format 'gif' of the plots; expected one of png, svg"):
        draw_explanation(tmp_path / "plots", explained(2), "gif")  # type: ignore[arg-type]
    assert not (tmp_path / "plots").exists()


def test_picture_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = explained(2)
    (path, *_) = draw_explanation(tmp_path, result)
    before = path.read_bytes()

    def fail(source: object, target: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        draw_explanation(tmp_path, explained(3))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4
