"""Which layout a folder is read by."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import matching_layouts, read_dataset


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("salads-windows", "bas_net"),
        ("thumos14-basnet", "bas_net"),
        ("gtea-windows", "action_former"),
        ("thumos14-wtalc", "wtalc"),
    ],
)
def test_real_folders_are_recognized_by_one_layout(shared_data, name, layout):
    assert [match.name for match in matching_layouts(shared_data(name))] == [layout]


@pytest.mark.parametrize("name", ["weizmann", "long-jump"])
def test_other_folders_are_recognized_by_none(shared_data, name):
    with pytest.raises(ValueError, match=r"holds no known layout. Known are bas_net: .*; acm_net: .*; opentad: "):
        read_dataset(shared_data(name))


@pytest.fixture
def root(tmp_path):
    """A folder in ActionFormer's layout."""
    made_up.action_former(tmp_path, made_up.make(sliding=True, width=2, train=2, test=1))
    return tmp_path


def test_a_folder_of_other_things_is_recognized_by_none(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(ValueError, match=r"holds no known layout. Known are bas_net: .*; acm_net: .*; opentad: "):
        read_dataset(tmp_path)


def test_a_layout_can_be_insisted_upon(root):
    with pytest.raises(FileNotFoundError, match=r"gt\.json"):
        read_dataset(root, "bas_net")
    with pytest.raises(
        ValueError, match="unknown layout 'basnet', expected one of bas_net, acm_net, action_former, wtalc"
    ):
        read_dataset(root, "basnet")


def test_a_folder_that_could_be_several_must_be_told(tmp_path):
    (tmp_path / "features" / "train").mkdir(parents=True)
    (tmp_path / "gt.json").write_text("{}")
    np.save(tmp_path / "features" / "v.npy", np.ones((2, 2)))
    with pytest.raises(ValueError, match="could be any of bas_net, action_former; give layout"):
        read_dataset(tmp_path)


def test_no_folder_and_unknown_options_are_errors(root):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_dataset(root / "none")
    with pytest.raises(TypeError, match="bas_net has no option 'stride'; it has streams, snippet_seconds"):
        read_dataset(root, "bas_net", stride=4)
