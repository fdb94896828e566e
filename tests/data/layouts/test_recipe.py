"""A layout is added as CONTRIBUTING.md says: one module, and one line in the registry."""

import numpy as np
import pytest
from data.layouts import flat_folder, made_up

from amsx.cli import main
from amsx.data import layouts
from amsx.data.convert import convert
from amsx.data.layouts import layout_names, matching_layouts, read_dataset, read_leniently


@pytest.fixture
def registered(monkeypatch):
    """The one line in the registry."""
    monkeypatch.setattr(layouts, "LAYOUTS", (*layouts.LAYOUTS, flat_folder.LAYOUT))


def test_a_new_layout_is_recognized_read_and_written(registered, tmp_path):
    data = made_up.usual({"rgb": 2, "flow": 2}, stated=False)
    made = convert(data, tmp_path / "to", "flat_folder")
    assert made.options == {"split": True} and made.lost == ("the segments of 5 videos",)
    assert [match.name for match in matching_layouts(made.out)] == ["flat_folder"]
    again = read_dataset(made.out, split=True)
    assert (again.layout, again.dims, again.classes) == ("flat_folder", data.dims, data.classes)
    for video, other in zip(data.videos, again.videos, strict=True):
        assert (video.id, video.subset, video.labels) == (other.id, other.subset, other.labels)
        np.testing.assert_array_equal(video.streams["flow"].load(), other.streams["flow"].load())
    with pytest.raises(TypeError, match="flat_folder has no option 'x'; it has split, snippet_seconds, missing"):
        read_dataset(made.out, x=1)
    (made.out / "v_2.features.npy").unlink()
    assert len(read_leniently(made.out).videos) == 4


def test_a_new_layout_wins_over_the_general_ones(registered, tmp_path):
    """A JSON file beside its arrays would make it ActionFormer's, too."""
    made_up.action_former(tmp_path, made_up.make(sliding=True, width=2, train=2, test=1))
    assert [match.name for match in matching_layouts(tmp_path)] == ["action_former"]
    (tmp_path / "videos.csv").write_text("")
    assert [match.name for match in matching_layouts(tmp_path)] == ["flat_folder"]


def test_the_command_line_knows_a_new_layout(registered, tmp_path, capsys):
    assert layout_names()[-1] == "flat_folder"
    convert(made_up.usual({"features": 3}, stated=False), tmp_path / "from", "bas_net")
    assert main(["convert", str(tmp_path / "from"), str(tmp_path / "to"), "--to", "flat_folder"]) == 0
    assert "layout flat_folder, read again and compared" in capsys.readouterr().out
    assert main(["data", str(tmp_path / "to"), "--layout", "flat_folder"]) == 0
    assert "layout flat_folder, 3 classes" in capsys.readouterr().out
