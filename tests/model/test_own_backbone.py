"""A backbone of the user's: how it is named and found, and what is said of one that is no branch."""

import sys
import types

import pytest
import torch
from torch import Tensor, nn

from amsx.model.backbone import Backbone, BranchOutput
from amsx.model.backbone_class import backbone_class, import_backbone, is_papers, name_of
from amsx.model.masking import top_k_mean
from amsx.model.own_backbone import OwnBackbone, own_branch
from amsx.model.part import Part

SETTINGS = {"hidden": 6, "dropout": 0.5, "top_k_divisor": 4, "smoothing": 0.0}


class Plain(nn.Module):
    """A CAS and log-probabilities from one layer; what the tests change is in `change`."""

    def __init__(self, in_features: int, num_classes: int, **others: object) -> None:
        super().__init__()
        self.head = nn.Linear(in_features, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> object:
        scores = self.head(features)
        return self.change(scores.sigmoid(), top_k_mean(scores, lengths, 4).log_softmax(dim=1), lengths)

    def change(self, cas: Tensor, log_probs: Tensor, lengths: Tensor) -> object:
        return cas, log_probs


def branch(network: type[nn.Module], **settings: object) -> OwnBackbone:
    return own_branch(network, "mine:Net", 5, 3, **{**SETTINGS, **settings})  # type: ignore[arg-type]


def changed(change) -> type[nn.Module]:
    return type("Changed", (Plain,), {"change": lambda self, *output: change(*output)})


def test_a_pair_becomes_a_whole_output():
    made = branch(Plain)
    features, lengths = torch.rand(2, 6, 5), torch.tensor([6, 3])
    output = made(features, lengths)
    assert isinstance(output, BranchOutput)
    torch.testing.assert_close(output.logits, output.cas.log())
    torch.testing.assert_close(output.cas_probs, top_k_mean(output.cas, lengths, 4))
    assert torch.equal(output.embedding[1, 3:], torch.zeros(3, 5))  # the features, 0 in the padding
    assert torch.equal(output.embedding[0], features[0])
    third = branch(changed(lambda cas, log_probs, lengths: (cas, log_probs, cas * 2)))(features, lengths)
    torch.testing.assert_close(third.embedding, third.cas * 2)


def test_standardizing_and_smoothing_need_nothing_of_the_network():
    made = branch(Plain, smoothing=1.0)
    made.standardize_by(torch.full((5,), 3.0), torch.full((5,), 2.0))
    features, lengths = torch.full((1, 4, 5), 5.0), torch.tensor([3])
    seen = made(features, lengths).embedding
    torch.testing.assert_close(seen[0, :3], torch.ones(3, 5))
    assert not seen[0, 3:].any()


def test_the_papers_backbone_can_be_extended():
    class Extended(Backbone):
        def forward(self, feats: Tensor, lengths: Tensor, part: Part | None = None) -> BranchOutput:
            output = super().forward(feats, lengths, part)
            return output._replace(cas=output.cas * 0.5)

    made = branch(Extended)
    output = made(torch.rand(2, 6, 5), torch.tensor([6, 3]))
    assert output.cas.max() <= 0.5
    assert output.embedding.shape == (2, 6, 6)


class Convolution(Plain):
    """Sees what a bias of the first layer puts into the padding."""

    def __init__(self, in_features: int, num_classes: int, **others: object) -> None:
        super().__init__(in_features, num_classes)
        self.first = nn.Conv1d(in_features, in_features, 3, padding=1)
        self.second = nn.Conv1d(in_features, in_features, 3, padding=1)

    def forward(self, features: Tensor, lengths: Tensor) -> object:
        return super().forward(self.second(self.first(features.transpose(1, 2)) + 1).transpose(1, 2), lengths)


class Constant(nn.Module):
    def __init__(self, *sizes: int, **others: object) -> None:
        super().__init__()

    def forward(self, features: Tensor, lengths: Tensor) -> object:
        return torch.zeros(*features.shape[:2], 3), torch.zeros(len(lengths), 3)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Constant, "has no parameters to train"),
        (Convolution, "another output where it is padded to 7 beside longer videos"),
        (changed(lambda cas, p, n: cas), r"returned a tensor \(3, 7, 3\) of float32; expected \(cas, log_probs\)"),
        (changed(lambda cas, p, n: (cas, p, p, p, p)), "returned a tuple of 5 values"),
        (changed(lambda cas, p, n: (cas.transpose(1, 2), p)), r"CAS is a tensor \(3, 3, 7\) .*expected .* \(3, 7, 3\)"),
        (changed(lambda cas, p, n: (None, p)), "CAS is NoneType"),
        (changed(lambda cas, p, n: (cas, p[:, :2])), r"log_probs is a tensor \(3, 2\) .* expected .* \(3, 3\)"),
        (changed(lambda cas, p, n: (cas, p, p)), r"embedding is a tensor .* expected .* \(3, 7, H\)"),
        (changed(lambda cas, p, n: (cas * torch.nan, p)), "cas holds NaN"),
        (changed(lambda cas, p, n: (cas, p - torch.inf)), "log_probs holds NaN or infinite"),
        (changed(lambda cas, p, n: (cas - 1, p)), r"the CAS goes from .* expected probabilities in \[0, 1\]"),
        (changed(lambda cas, p, n: (cas, p.exp())), "log_probs reach"),
        (changed(lambda cas, p, n: (cas.detach(), p)), "carry no gradient"),
        (changed(lambda cas, p, n: (cas * torch.rand(1), p)), "another output in every call"),
        (changed(lambda cas, p, n: 1 / 0), "failed on features .* ZeroDivisionError"),
        (nn.Linear, r"mine:Net cannot be made as Class\(in_features, num_classes, hidden"),
    ],
)
def test_what_is_no_branch(network, message):
    with pytest.raises(ValueError, match=message):
        branch(network)


def test_names(monkeypatch, tmp_path):
    assert is_papers(backbone_class(name_of(Backbone)))
    assert name_of("a.b:C") == "a.b:C"
    for wrong in ("a.b.C", "a:b:C", "a:", ":C", "a b:C", "a:C()"):
        with pytest.raises(ValueError, match=r"package.module:Class|a class or its name"):
            name_of(wrong)
    with pytest.raises(ValueError, match="a class or its name"):
        name_of(Plain(2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="defined within a function"):
        name_of(type("Local", (nn.Module,), {"__qualname__": "f.<locals>.Local"}))
    monkeypatch.setitem(sys.modules, "made_up", types.SimpleNamespace(Net=Plain, number=3))
    assert backbone_class("made_up:Net") is import_backbone("made_up:Net") is Plain
    with pytest.raises(ValueError, match="made_up has no Nets; did you mean Net"):
        backbone_class("made_up:Nets")
    with pytest.raises(ValueError, match=r"no subclass of torch\.nn\.Module"):
        backbone_class("made_up:number")
    with pytest.raises(ValueError, match="the program that runs defines no Absent"):
        backbone_class("__main__:Absent")
    with pytest.raises(ValueError, match="there is no module nowhere_at_all on Python's path"):
        import_backbone("nowhere_at_all.part:Net")


def test_a_name_alone_imports_nothing(monkeypatch, tmp_path):
    (tmp_path / "runs_at_import.py").write_text("raise RuntimeError('was imported')")
    (tmp_path / "lacks_a_package.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="if you trust it, add --backbone runs_at_import:Net"):
        backbone_class("runs_at_import:Net")
    with pytest.raises(ValueError, match="importing runs_at_import failed: RuntimeError: was imported"):
        import_backbone("runs_at_import:Net")
    with pytest.raises(ValueError, match="importing lacks_a_package failed: No module named 'nowhere_at_all'"):
        import_backbone("lacks_a_package:Net")
