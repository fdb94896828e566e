"""Several processes train together what one process trains, up to rounding."""

from functools import partial

import numpy as np
import pytest
import torch
from training import joint

from amsx.data.batching import FeatureSet, train_batches
from amsx.training.activations import load_activations, load_snapshots
from amsx.training.epoch_log import TERMS, read_log
from amsx.training.ranks import joined
from amsx.training.run import RunResult
from amsx.training.setup import choose_device

# With batches of 8, pairs are divided unevenly among 3 ranks; with batches of 4 some ranks have none, and of 13 videos
# one is left for the last batch.
VARIANTS = [
    ("optimization.batch_size=8", "optimization.max_snippets=25"),
    (
        "optimization.batch_size=4",
        "optimization.max_snippets=25",
        "optimization.sampling=jittered",
        "phases.supervision=self",
        "loss.cas_classification=binary",
        "sampling.aggregate=random",
        "model.attention=true",
        "loss.teacher_decay=0.5",
        "loss.confidence=true",
    ),
    ("optimization.batch_size=8", "optimization.max_snippets=15", "sampling.weights=random"),
]


@pytest.fixture(scope="module")
def three(tmp_path_factory, forked_workers):
    """A folder with a run of which a rank was killed, and what the other two of three ranks return."""
    out = tmp_path_factory.mktemp("ranks") / "run"
    found = joint.together(forked_workers("forkserver"), 3, joint.train_all_and_then, VARIANTS, out, (1, 3))
    assert found.pop(1) is None
    return out, found


def test_losses_and_weights_are_those_of_one_process(three):
    alone, no_error = joint.train_all(VARIANTS)
    assert no_error == ""
    for (trained, unlike), _ in three[1]:
        assert unlike == "rank 1 has other settings than rank 0; expected the same on every machine"
        for settings, (weights, log), (expected, expected_log) in zip(VARIANTS, trained, alone, strict=True):
            for name in TERMS:
                values = [record.term(name) for record in log]
                wanted = [record.term(name) for record in expected_log]
                assert values == pytest.approx(wanted, rel=1e-5, abs=1e-6), (settings, name)
            for name in expected:
                np.testing.assert_allclose(weights[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=f"{settings}")


def test_a_killed_rank_ends_all_and_another_number_of_ranks_goes_on(three, tmp_path, forked_workers):
    out, survivors = three
    for rank, (_, error) in zip((0, 2), survivors, strict=True):
        assert error.startswith(f"rank {rank} of 3 lost another process of this training, which was killed or failed")
        assert "--resume goes on" in error
    assert len(read_log(out / "rgb" / "log.jsonl")) == 2
    expected = joint.train(tmp_path / "alone")
    assert expected.metrics is not None
    for result in joint.together(forked_workers("forkserver"), 2, joint.train, out, True):
        assert isinstance(result, RunResult), result
        assert result.metrics is not None
        assert result.metrics.mean_ap == pytest.approx(expected.metrics.mean_ap)
    files = [sorted(p.relative_to(f) for p in f.rglob("*")) for f in (tmp_path / "alone", out)]
    assert files[0] == files[1]
    log, expected_log = (read_log(folder / "rgb" / "log.jsonl") for folder in (out, tmp_path / "alone"))
    assert [r.loss for r in log] == pytest.approx([r.loss for r in expected_log], rel=1e-5)
    views = []
    for folder in (out / "rgb", tmp_path / "alone" / "rgb"):
        views.append([*load_snapshots(folder).values(), load_activations(folder / "activations.safetensors")])
    for found, wanted in zip(*views, strict=True):
        assert (found.ids, found.timebases) == (wanted.ids, wanted.timebases)
        for branch in ("base", "supplementary"):
            one, other = getattr(found, branch), getattr(wanted, branch)
            assert (one is None) == (other is None)
            if one is not None:
                np.testing.assert_array_equal(one.lengths, other.lengths)
                np.testing.assert_allclose(one.cas, other.cas, atol=1e-3)
                np.testing.assert_allclose(one.probs, other.probs, atol=1e-3)


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_the_shares_of_a_batch_are_whole_pairs_and_make_the_batch(ranks):
    data = joint.dataset()
    features = FeatureSet.load(data.subset("train"), "rgb", data.classes)
    batches = partial(train_batches, features, batch_size=6, max_snippets=30, seed=1, epoch=2)
    whole = list(batches())
    shares = [list(batches(rank=rank, ranks=ranks)) for rank in range(ranks)]
    for batch, *parts in zip(whole, *shares, strict=True):
        busy = [part for part in parts if not part.share.idle]
        assert [i for part in busy for i in part.ids] == list(batch.ids)
        assert all(part.share.first % 2 == 0 for part in busy)
        assert all(len(part.ids) % 2 == 0 for part in busy[:-1])
        for part in parts:
            assert torch.equal(part.share.labels, batch.labels)
            assert part.share.snippets == batch.features.shape[1]
            rows = slice(part.share.first, part.share.first + len(part.ids))
            assert torch.equal(part.features, batch.features[rows, : part.features.shape[1]])


def test_each_rank_needs_a_device(monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("LOCAL_WORLD_SIZE", "2"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="device 'cuda:0' is one for 2 processes; expected cuda"):
        choose_device("cuda:0")
    with pytest.raises(ValueError, match="cannot train together on meta"), joined(torch.device("meta")):
        pass
