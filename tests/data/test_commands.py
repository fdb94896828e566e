"""`amsx data` and `amsx convert` on real folders, whole and broken."""

import json
import shlex
import shutil

import numpy as np
import pytest
from data.layouts import made_up

from amsx.cli import main
from amsx.data.convert import convert
from amsx.data.layouts import read_dataset, read_leniently


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    made_up.bas_net(folder, made_up.make(width=2))
    return folder


def test_data_says_what_is_there(shared_data, capsys):
    assert main(["data", str(shared_data("gtea-windows"))]) == 0
    text = capsys.readouterr().out
    for part in ("layout action_former, 10 classes", "train: 219 videos", "test: 85 videos", "broken values: none"):
        assert part in text


def test_data_says_what_is_amiss_and_still_says_the_rest(root, capsys):
    videos = sorted(root.glob("features/train/rgb/*.npy"))
    videos[0].unlink()
    videos[1].write_bytes(videos[1].read_bytes()[:-3])
    array = np.load(videos[2])
    array[5] = np.nan
    np.save(videos[2], array)
    assert main(["data", str(root), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["subsets"]["train"]["videos"] == 4
    assert any("1 of 10 listed videos lack features" in note and videos[0].name in note for note in summary["notes"])
    assert any("1 of 10 videos have broken features" in n and videos[1].name in n for n in summary["notes"])
    assert list(summary["broken_values"]) == [f"{videos[2].stem}, rgb"]
    assert main(["data", str(root), "--quick"]) == 0
    assert "broken values" not in capsys.readouterr().out
    assert main(["data", str(root), "--data-option", "missing=error"]) == 1
    assert "1 of 10 listed videos lack features" in capsys.readouterr().err


def test_policies_that_a_layout_lacks_are_not_given(tmp_path):
    made_up.wtalc(tmp_path, made_up.make(width=2))
    assert len(read_leniently(tmp_path).videos) == 10
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_leniently(tmp_path / "none")


def test_convert_writes_and_says_what_is_lost_and_how_to_read_it(root, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["convert", str(root), str(out), "--to", "acm_net"]) == 0
    text = capsys.readouterr().out
    assert "layout acm_net, read again and compared" in text and "lost: nothing" in text and "--layout" not in text
    assert "--data-option split=true" in text
    assert read_dataset(out, split=True).dims == {"rgb": 2, "flow": 2}
    assert main(["convert", str(root), str(out), "--to", "acm_net"]) == 1
    assert "not empty" in capsys.readouterr().err
    shutil.rmtree(root)
    assert main(["convert", str(root), str(out), "--to", "acm_net"]) == 1
    assert "no folder" in capsys.readouterr().err


def test_convert_tells_options_as_a_shell_takes_them(tmp_path, capsys):
    convert(made_up.dataset(made_up.video("v", "test", dims={"rgb": 2, "flow": 2})), tmp_path / "set", "bas_net")
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--to", "opentad"]) == 0
    text = capsys.readouterr().out
    assert "lost: the streams" not in text and "lost: the absence of a duration of 1 videos" in text
    told = shlex.split(next(line for line in text.splitlines() if "read it with" in line))[3:]
    assert "--data-option" in told and 'subsets={"validation": "test"}' in told
    assert main(["data", str(tmp_path / "out"), *told]) == 0
    assert "test: 1 videos" in capsys.readouterr().out


def test_convert_tells_the_layout_where_the_files_do_not(tmp_path, capsys):
    convert(made_up.dataset(made_up.video("s/v", dims={"rgb": 2, "flow": 2})), tmp_path / "set", "bas_net")
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--to", "action_former"]) == 0
    told = shlex.split(next(line for line in capsys.readouterr().out.splitlines() if "read it with" in line))[3:]
    assert told[:2] == ["--layout", "action_former"]
    assert main(["data", str(tmp_path / "out"), *told]) == 0


@pytest.mark.parametrize("to", ["cmcs", "dgam"])
def test_convert_refuses_what_a_layout_cannot_hold_and_leaves_nothing(tmp_path, capsys, to):
    convert(made_up.dataset(made_up.video("v", dims={"features": 3})), tmp_path / "set", "bas_net")
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--to", to]) == 1
    assert f"the layout {to} holds the streams rgb and flow alone, got 'features'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_built_in_set_is_data_like_any_other(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--data-option", "train_videos=6", "--data-option", "test_videos=3", "--data-option", "classes=3"]
    assert main(["data", "synthetic", *few]) == 0
    assert "in memory: layout synthetic, 3 classes" in capsys.readouterr().out
    assert main(["convert", "synthetic", str(tmp_path / "out"), "--to", "bas_net", *few]) == 0
    assert len(read_dataset(tmp_path / "out").videos) == 9
