"""Which layout a folder is read by."""

import numpy as np
import pytest

from amsx.data.layouts import LAYOUTS, action_former, bas_net, read_dataset, wtalc


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("salads-windows", bas_net),
        ("thumos14-basnet", bas_net),
        ("gtea-windows", action_former),
        ("thumos14-wtalc", wtalc),
    ],
)
def test_real_folders_are_recognized_by_one_layout(shared_data, name, module):
    assert [layout for layout in LAYOUTS if layout.detect(shared_data(name))] == [module]


@pytest.mark.parametrize("name", ["weizmann", "long-jump"])
def test_other_folders_are_recognized_by_none(shared_data, name):
    with pytest.raises(ValueError, match=r"holds no known layout. Known are bas_net: .*; acm_net: .*; opentad: "):
        read_dataset(shared_data(name))


def test_a_layout_can_be_insisted_upon(shared_data):
    with pytest.raises(FileNotFoundError, match=r"gt\.json"):
        read_dataset(shared_data("gtea-windows"), "bas_net")
    with pytest.raises(
        ValueError, match="unknown layout 'basnet', expected one of bas_net, acm_net, action_former, wtalc"
    ):
        read_dataset(shared_data("gtea-windows"), "basnet")


def test_a_folder_that_could_be_several_must_be_told(tmp_path):
    (tmp_path / "features" / "train").mkdir(parents=True)
    (tmp_path / "gt.json").write_text("{}")
    np.save(tmp_path / "features" / "v.npy", np.ones((2, 2)))
    with pytest.raises(ValueError, match="could be any of bas_net, action_former; give layout"):
        read_dataset(tmp_path)


def test_no_folder_and_unknown_options_are_errors(tmp_path, shared_data):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_dataset(tmp_path / "none")
    with pytest.raises(TypeError, match="bas_net has no option 'stride'; it has streams, snippet_seconds"):
        read_dataset(shared_data("salads-windows"), stride=4)
