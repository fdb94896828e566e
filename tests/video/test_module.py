"""Networks of users: what they are fed and what is read is as the TOML file says, in all three formats."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from amsx.video.extractors import make_extractor
from amsx.video.module_description import ModuleDescription, read_description
from amsx.video.weights import checksum

CLIPS = torch.randint(0, 256, (5, 4, 6, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
FLOW = torch.randn(5, 4, 6, 6, 2, generator=torch.Generator().manual_seed(1)) * 15


class FirstValues(nn.Module):
    """Returns the first pixel of everything it is fed, and other forms of it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first = x[..., 0, 0].flatten(1)  # (N, D)
        tokens = torch.stack([first, 3 * first], dim=1)  # (N, 2, D)
        return first, tokens, tokens.transpose(1, 2)[..., None].expand(-1, -1, -1, 2)  # (N, D, 2, 2)


class ByName(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first = x[..., 0, 0].flatten(1)
        return {"image_embeds": first, "logits": first[:, :1]}


@pytest.fixture
def describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a TorchScript file and its description; the description is a text in which `{head}` is the usual start."""

    def write(text: str, network: nn.Module | None = None, like: tuple[int, ...] = (1, 3, 4, 6, 6)) -> str:
        with pytest.warns(DeprecationWarning):
            traced: Any = torch.jit.trace(network or FirstValues(), torch.zeros(like), strict=False)
        traced.save(tmp_path / "net.pt")
        (tmp_path / "net.toml").write_text(text)
        return str(tmp_path / "net.toml")

    return write


def extractor(description: str) -> Any:
    return make_extractor("module", {"description": description})


HEAD = 'file = "net.pt"\nkind = "rgb"\n'


def test_scaling_and_order_of_axes(describe):
    text = (
        HEAD
        + "width = 12\n[frames]\nsnippet = 4\n[input]\ndivide_by = 255\n"
        + "mean = [0.5, 0.25, 0]\nstd = [1, 2, 4]\nbatch = 2\n"
    )
    net = extractor(describe(text))
    scaled = (CLIPS / 255 - torch.tensor([0.5, 0.25, 0.0])) / torch.tensor([1.0, 2.0, 4.0])
    expected = scaled[:, :, 0, 0].transpose(1, 2).flatten(1)  # (N, C * T)
    torch.testing.assert_close(net(CLIPS), expected)
    assert (net.kind, net.width, net.snippet_frames) == ("rgb", 12, 4)

    net = extractor(describe(text + 'layout = "NTCHW"\ncolours = "bgr"\n', like=(1, 4, 3, 6, 6)))
    bgr = (CLIPS.flip(4) / 255 - torch.tensor([0.5, 0.25, 0.0])) / torch.tensor([1.0, 2.0, 4.0])
    torch.testing.assert_close(net(CLIPS), bgr[:, :, 0, 0].flatten(1))


def test_frames_by_themselves_are_averaged_and_chosen_evenly(describe):
    text = (
        HEAD
        + 'width = 3\n[frames]\nsnippet = 4\ncount = 2\n[input]\nlayout = "NCHW"\nbatch = 3\n'
        + "[output]\nnormalize = true\n"
    )
    net = extractor(describe(text, like=(1, 3, 6, 6)))
    mean = CLIPS[:, [1, 3], 0, 0].float().mean(dim=1)
    torch.testing.assert_close(net(CLIPS), mean / mean.norm(dim=1, keepdim=True))


def test_flow_is_clipped_and_scaled(describe):
    text = 'file = "net.pt"\nkind = "flow"\nwidth = 8\n[frames]\nsnippet = 4\n[input]\nclip = 20\ndivide_by = 20\n'
    net = extractor(describe(text, like=(1, 2, 4, 6, 6)))
    torch.testing.assert_close(net(FLOW), (FLOW[:, :, 0, 0].clamp(-20, 20) / 20).transpose(1, 2).flatten(1))


@pytest.mark.parametrize(
    ("output", "factor"),
    [("index = 1\npool = 'tokens'", 2), ("index = -2\npool = 'first-token'", 1), ("index = 2\npool = 'map'", 2)],
)
def test_pooling(describe, output, factor):
    net = extractor(describe(HEAD + f"width = 12\nframes.snippet = 4\n[output]\n{output}\n"))
    torch.testing.assert_close(net(CLIPS), factor * CLIPS[:, :, 0, 0].float().transpose(1, 2).flatten(1))


def test_resizing_to_a_shape(describe):
    net = extractor(describe(HEAD + "width = 12\n[frames]\nsnippet = 4\nresize = [1, 1]\n", like=(1, 3, 4, 1, 1)))
    middle = CLIPS[:, :, 2:4, 2:4].float().mean(dim=(2, 3))  # a sample at the middle lies between four pixels
    torch.testing.assert_close(net(CLIPS), middle.transpose(1, 2).flatten(1))


def test_outputs_by_name(describe):
    text = HEAD + "width = 12\n[frames]\nsnippet = 4\n[output]\nname = 'image_embeds'\n"
    net = extractor(describe(text, ByName()))
    torch.testing.assert_close(net(CLIPS), CLIPS[:, :, 0, 0].float().transpose(1, 2).flatten(1))
    with pytest.raises(ValueError, match=r"returns image_embeds, logits; expected one of them as output.name"):
        extractor(describe(text.replace("name = 'image_embeds'", ""), ByName()))


def test_a_file_of_torch_export(tmp_path):
    batch = torch.export.Dim("batch")
    program = torch.export.export(FirstValues(), (torch.zeros(2, 3, 4, 6, 6),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "net.pt2")
    (tmp_path / "net.toml").write_text(
        'file = "net.pt2"\nkind = "rgb"\nwidth = 12\nframes = { snippet = 4, crop = 6, short_side = 6 }'
    )
    net = extractor(str(tmp_path / "net.toml"))
    torch.testing.assert_close(net(CLIPS), CLIPS[:, :, 0, 0].float().transpose(1, 2).flatten(1))


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_an_onnx_file_whatever_its_batch(tmp_path, batch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    axes = onnx.numpy_helper.from_array(torch.tensor([2, 3, 4]).numpy(), "axes")
    node = helper.make_node("ReduceMean", ["pixel_values", "axes"], ["embeds"], keepdims=0)
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("pixel_values", kind, [batch, 3, 4, 6, 6])],
        [helper.make_tensor_value_info("embeds", kind, [batch, 3])],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "net.onnx")
    text = 'file = "net.onnx"\nkind = "rgb"\nwidth = 3\n[frames]\nsnippet = 4\nshort_side = 6\ncrop = 6\n'
    (tmp_path / "net.toml").write_text(text + '[output]\nname = "embeds"\n')
    net = extractor(str(tmp_path / "net.toml"))
    torch.testing.assert_close(net(CLIPS), CLIPS.float().mean(dim=(1, 2, 3)))
    assert set(net.identity().packages) == {"onnxruntime"}
    with pytest.raises(ValueError, match=r"has the outputs embeds; expected one of them as output\.name"):
        (tmp_path / "net.toml").write_text(text + '[output]\nname = "logits"\n')
        extractor(str(tmp_path / "net.toml"))


def test_the_identity_is_of_the_file_and_of_what_it_is_fed(describe):
    text = HEAD + "width = 12\n[frames]\nsnippet = 4\n"
    path = Path(describe(text))
    first = extractor(str(path)).identity()
    assert first.weights == checksum(path.with_name("net.pt"))
    path.write_text(text + "[input]\nbatch = 1\n")
    assert not first.differences(extractor(str(path)).identity())
    path.write_text(text + "[input]\ndivide_by = 255\n")
    assert len(first.differences(extractor(str(path)).identity())) == 1


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('file = "net.pt"', "the key kind is missing"),
        (HEAD, "the key width is missing"),
        (HEAD + "width = 12\nwdith = 3", "unknown key wdith; did you mean width?"),
        (HEAD + "width = 12\n[input]\nscale = 255", "unknown key input.scale; known are input.layout, "),
        (HEAD + 'width = "12"', "width must be a whole number, got '12'"),
        (HEAD + "width = true", "width must be a whole number, got True"),
        (HEAD + 'width = 12\n[input]\nlayout = "NHWC"', "input.layout must be one of 'NCTHW', 'NTCHW', 'NCHW', got"),
        (HEAD + "width = 12\n[input]\nmean = [0.5, 0.5]", "input.mean must have 1 value or 3, those of rgb"),
        (HEAD + 'width = 12\n[input]\nmean = ["a"]', "input.mean must be a number, got 'a'"),
        (HEAD + "width = 12\n[input]\nstd = 0", "divide_by and std must not be 0"),
        (HEAD + "width = 12\n[input]\nclip = 20", "input.clip is of flow"),
        (HEAD + "width = 12\n[frames]\ncount = 17", r"count must be in 1..16, the frames of a snippet, got 17"),
        (HEAD + "width = 12\nframes = 16", "frames must be a table, got 16"),
        (HEAD + "width = 12\n[frames]\nresize = [224]", r"resize must be a height and a width in pixels, got \[224\]"),
        ('file = "net.bin"\nkind = "rgb"\nwidth = 3', "format must be one of torchscript, torch-export, onnx"),
        ("file = ", "is not valid TOML"),
    ],
)
def test_descriptions_that_are_none(tmp_path, text, message):
    (tmp_path / "net.toml").write_text(text)
    with pytest.raises(ValueError, match=f"net.toml.*{message}"):
        read_description(tmp_path / "net.toml")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("width = 9", r"gives an array \(1, 12\) for 1 inputs, and output.pool='none' .*; expected \(1, 9\)"),
        ("width = 12\noutput.index = 3", "has no output 3 that is a tensor"),
        ("width = 12\noutput.index = 1", r"gives an array \(1, 2, 12\) for 1 inputs"),
        ("width = 12\ninput.layout = 'NCHW'", r"net.pt does not take an input of shape|gives an array"),
        ("width = 12\nsha256 = '00'", "expected sha256:00"),
    ],
)
def test_a_description_that_does_not_fit_is_known_at_once(describe, more, message):
    with pytest.raises(ValueError, match=message):
        extractor(describe(HEAD + f"frames.snippet = 4\n{more}\n"))


@pytest.mark.parametrize("suffix", ["pt", "pt2", "onnx"])
def test_a_file_of_something_else(tmp_path, suffix):
    if suffix == "onnx":
        pytest.importorskip("onnxruntime")
    (tmp_path / f"net.{suffix}").write_text("nothing")
    (tmp_path / "net.toml").write_text(f'file = "net.{suffix}"\nkind = "rgb"\nwidth = 3\n')
    with pytest.raises(ValueError, match=rf"net.{suffix} cannot be read as "):
        extractor(str(tmp_path / "net.toml"))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no description of a module at"):
        extractor(str(tmp_path / "net.toml"))
    (tmp_path / "net.toml").write_text('file = "net.onnx"\nkind = "rgb"\nwidth = 3\n')
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        extractor(str(tmp_path / "net.toml"))


def test_the_format_is_that_of_the_suffix_unless_it_is_said():
    assert ModuleDescription(Path("a.pt"), "rgb", 3).known_format == "torchscript"
    assert ModuleDescription(Path("a.bin"), "rgb", 3, format="onnx").known_format == "onnx"


# ---- docs/extractors.md

PAGE = (Path(__file__).parents[2] / "docs" / "extractors.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_descriptions_in_the_documentation(tmp_path, text):
    (tmp_path / "net.toml").write_text(text)
    described = read_description(tmp_path / "net.toml")
    assert described.kind == "rgb"
    assert 512 <= described.width <= 1408
