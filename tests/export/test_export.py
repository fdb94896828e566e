"""Exported branches: what they compute, where they run, what they say of themselves, and what is refused."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from amsx.cli import main
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.export import exporting, formats
from amsx.export.branches import branch_of
from amsx.export.exporting import compare, export_branch
from amsx.inference.model import load
from amsx.model.ams import AMS
from amsx.model.backbone import Backbone
from amsx.model.sampler import Sampler
from amsx.ops import composite, portable
from amsx.training.config import Config, override
from amsx.training.run import train_run
from amsx.training.run_directory import read_run

THRESHOLD = 0.25


def made_up_model(sampler: Sampler | None, smoothing: float = 0.0, kernel: int = 1, attention: bool = False) -> AMS:
    torch.manual_seed(0)
    settings = {"hidden": 7, "dropout": 0.5, "top_k_divisor": 4, "smoothing": smoothing, "kernel": kernel}
    base, supplementary = (Backbone(5, 3, attention=attention, **settings) for _ in range(2))  # type: ignore[arg-type]
    for branch in (base, supplementary):
        branch.standardize_by(torch.tensor([3.0, 0, 1, 2, -1]), torch.tensor([0.5, 1, 2, 3, 9]))
    return AMS(base, supplementary, sampler).eval().requires_grad_(False)


@pytest.fixture(scope="module", autouse=True)
def one_graph() -> Iterator[None]:
    """The graph of `torch.export`, which takes seconds, is made once of the same branch."""
    graphs: dict[str, torch.export.ExportedProgram] = {}
    make = formats._program

    def made(branch: torch.nn.Module, example: tuple[torch.Tensor, torch.Tensor]) -> torch.export.ExportedProgram:
        key = str(branch.state_dict())
        if key not in graphs:
            graphs[key] = make(branch, example)
        return graphs[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "_program", made)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two streams, trained for as long as it takes to have both branches."""
    out = tmp_path_factory.mktemp("run") / "run"
    data = make_dataset(SyntheticConfig(classes=3, train_videos=4, test_videos=0, length=(12, 20), duration=(3, 5)))
    settings = ["base_epochs=1", "supplementary_epochs=1", "alternate_epochs=1", "iterations=1"]
    config = override(Config(), [*(f"phases.{one}" for one in settings), "model.hidden=8", "sampling.interp_factor=2"])
    train_run(
        data,
        override(config, ["model.standardize=true", "model.attention=true"]),
        out,
        progress=False,
        say=lambda _: None,
    )
    return out


def trained(run: Path, stream: str) -> AMS:
    return load(run).network(stream)


# ---- what they compute


@pytest.mark.parametrize(
    ("sampler", "smoothing", "kernel", "attention"),
    [
        (Sampler(), 0.0, 1, False),
        (Sampler(mode="continuous", eta=0.0), 1.5, 1, False),
        (Sampler(aggregate="mean", interp_factor=3), 0.0, 1, True),
        (Sampler(weights="erase", erase_threshold=1.0), 0.0, 1, False),
        (Sampler(normalize=True, eta=0.25), 0.0, 3, False),
        (Sampler(weights="rolled"), 0.0, 1, False),
        (None, 0.8, 3, True),
    ],
)
@pytest.mark.parametrize("branch", ["base", "supplementary"])
def test_the_module_and_its_trace_compute_what_the_model_predicts(
    tmp_path, branch, sampler, smoothing, kernel, attention
):
    model = made_up_model(sampler, smoothing, kernel, attention)
    module = branch_of(model, branch, THRESHOLD)
    assert compare(module, model, branch, THRESHOLD).cas < 1e-6
    with formats.quiet():
        formats.FORMATS["torchscript"].write(module, exporting._batch(model, 2, 9), {}, tmp_path / "branch.pt")
        loaded = formats.FORMATS["torchscript"].load(tmp_path / "branch.pt")
    assert compare(loaded, model, branch, THRESHOLD).acceptable

    features, lengths = exporting._batch(model, 4, 9)
    cas, probs = loaded(features, lengths)
    assert cas[torch.arange(9) >= lengths[:, None]].count_nonzero() == 0
    noisy = features + 100.0 * (torch.arange(9) >= lengths[:, None])[..., None]
    torch.testing.assert_close(loaded(noisy, lengths), (cas, probs), rtol=0, atol=0)


def test_a_search_and_powers_of_two_that_every_format_has():
    generator = torch.Generator().manual_seed(0)
    ascending = torch.randint(0, 40, (3, 200), generator=generator).cumsum(dim=1)
    values = torch.randint(-5, 4200, (3, 200), generator=generator)
    for right in (False, True):
        assert torch.equal(
            portable.searchsorted(ascending, values, right=right), torch.searchsorted(ascending, values, right=right)
        )
    for dtype in (torch.float32, torch.float64):
        limits = torch.finfo(dtype)
        x = torch.tensor([limits.tiny, 0.1, 1 - limits.eps, 1.0, 1.5, 2.0, 1e9, limits.max], dtype=dtype)[:, None]
        assert torch.equal(portable.exponent(x), composite._exponent(x).to(torch.int64))
        down = -portable.exponent(x).clamp(max=100)
        assert torch.equal(portable.power_of_two(down, dtype), composite._power_of_two(down, dtype))


@pytest.mark.parametrize("factor", [0, 1, 7, 20])
def test_timestamps_for_export_have_the_bits_of_the_others(factor):
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(6, 70, generator=generator) * 10.0 ** torch.arange(-30, 30, 10)[:, None]
    weights[2, 5:60] = 0
    lengths = torch.tensor([70, 1, 69, 2, 35, 70])
    plain = composite.sampling_timestamps(weights, lengths, factor)
    assert torch.equal(composite.sampling_timestamps(weights, lengths, factor, exported=True), plain)
    cas = torch.rand(6, 70, 4, generator=generator)
    aligned = composite.align_cas(cas, plain, lengths)
    assert torch.equal(composite.align_cas(cas, plain, lengths, exported=True), aligned)


# ---- files


def test_onnx_runs_in_its_own_runtime(run, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "branch.onnx"
    options = ["--stream", "rgb", "--branch", "supplementary", "--to", "onnx", "--out", str(file)]
    assert main(["export", str(run), *options]) == 0
    said = capsys.readouterr().out
    assert re.search(r"checked against PyTorch: largest difference \d\.\de-\d+ of the CAS", said)
    assert [path.name for path in tmp_path.iterdir()] == ["branch.onnx"]  # the weights are in it

    session = onnxruntime.InferenceSession(file)
    width = len(trained(run, "rgb").base.shift)
    assert [(i.name, i.shape) for i in session.get_inputs()] == [
        ("features", ["batch", "snippets", width]),
        ("lengths", ["batch"]),
    ]
    about = json.loads(session.get_modelmeta().custom_metadata_map["amsx"])
    assert about["classes"] == list(read_run(run).data.classes)
    assert about["timebase"] == {"snippet_seconds": 0.64, "offset": 0.0}
    assert (about["branch"], about["stream"], about["width"]) == ("supplementary", "rgb", width)
    differences = compare(formats.FORMATS["onnx"].load(file), trained(run, "rgb"), "supplementary", 0.25)
    assert 0 < differences.cas < 1e-5  # another runtime, so other roundings


def test_torch_export_needs_no_op_of_amsx(run, tmp_path):
    file = tmp_path / "branch.pt2"
    exported = export_branch(run, file, branch="supplementary", stream="rgb", to="torch-export")
    assert exported.differences.cas < 1e-6
    extra = {"amsx.json": ""}
    program = torch.export.load(file, extra_files=extra)
    assert json.loads(extra["amsx.json"]) == exported.about
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert not [target for target in targets if str(target).startswith("amsx")]
    assert compare(program.module(), trained(run, "rgb"), "supplementary", 0.25).acceptable


def test_torchscript_needs_no_op_of_amsx(run, tmp_path):
    file = tmp_path / "branch.pt"
    exported = export_branch(run, file, branch="supplementary", stream="rgb", to="torchscript")
    extra = {"amsx.json": ""}
    with formats.quiet():
        module = torch.jit.load(file, _extra_files=extra)
    assert json.loads(extra["amsx.json"]) == exported.about
    assert not [node.kind() for node in module.inlined_graph.nodes() if "amsx" in node.kind()]


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "torchscript"], "has the streams rgb, flow; expected one of them"),
        (["--to", "torchscript", "--stream", "audio"], "unknown stream of"),
        (["--to", "torch-export", "--stream", "rgb", "--out", "x.pt"], "x.pt: torch reads such files only"),
    ],
)
def test_what_does_not_name_a_branch(run, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "--out", "branch.pt2", *options]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"exporting to onnx needs onnx, .*pip install 'amsx\[onnx\]'"):
        export_branch(run, tmp_path / "branch.onnx", stream="rgb", to="onnx")


@pytest.mark.parametrize("sampler", [Sampler(weights="random"), Sampler(aggregate="random")])
def test_a_random_sampler_is_not_exported(sampler):
    branch_of(made_up_model(sampler), "base", THRESHOLD)
    with pytest.raises(ValueError, match="draws anew in every call; the base branch can"):
        branch_of(made_up_model(sampler), "supplementary", THRESHOLD)


def test_a_run_of_one_branch_has_no_other(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    described = read_run(run)
    config = override(described.config, ["phases.branches=base"])
    (tmp_path / "run" / "config.json").write_text(json.dumps(replace(described, config=config).to_json()))
    with pytest.raises(ValueError, match="has no supplementary branch"):
        export_branch(tmp_path / "run", tmp_path / "b.pt", branch="supplementary", stream="rgb", to="torchscript")


def test_a_file_that_computes_something_else_is_not_kept(run, tmp_path, monkeypatch):
    wrong = formats.Format(formats._write_torchscript, lambda path: lambda x, n: (x[..., :3] * 0, x[:, 0, :3] * 0))
    monkeypatch.setattr(exporting, "FORMATS", {"torchscript": wrong})
    with pytest.raises(RuntimeError, match=r"is not what PyTorch computes: largest difference"):
        export_branch(run, tmp_path / "b.pt", stream="rgb", to="torchscript")
    assert not list(tmp_path.iterdir())
