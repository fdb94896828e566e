"""Late fusion of branches and streams (Eq. 12)."""

import numpy as np
import pytest

from amsx.localization.fusion import Activations, fuse, stream_weights, weights_fault, weights_in_words


def activations(cas: list, probs: list, lengths: list) -> Activations:
    return Activations(np.array(cas, np.float32), np.array(probs, np.float32), np.array(lengths, np.int64))


def test_eq_12_by_hand():
    rgb = activations([[1.0, 0.0], [0.5, 0.2]], [[0.8, 0.2]], [2])
    flow = activations([[0.0, 1.0], [0.5, 0.4]], [[0.4, 0.6]], [2])
    fused = fuse([rgb, flow], [0.25, 0.75])
    np.testing.assert_allclose(fused.cas, [[0.25, 0.75], [0.5, 0.35]], rtol=1e-6)
    np.testing.assert_allclose(fused.probs, [[0.5, 0.5]], rtol=1e-6)
    assert fused.cas.dtype == np.float32


def test_weights_by_stream():
    assert stream_weights(["rgb", "flow"], 0.15) == [0.15, 0.85]
    assert stream_weights(["rgb", "audio", "flow"], 0.5) == [0.5, 0.25, 0.25]
    assert stream_weights(["rgb"], 0.15) == [1.0]
    assert stream_weights(["features"], 0.15) == [1.0]
    assert stream_weights(["a", "b"], 0.15) == [0.5, 0.5]


def test_given_weights_are_those_of_the_streams_by_name():
    weights = {"flow": 0.5, "rgb": 0.2, "audio": 0.3}
    assert stream_weights(["rgb", "flow", "audio"], 0.15, weights) == [0.2, 0.5, 0.3]
    assert stream_weights(["rgb"], 0.15, weights) == [1.0]
    with pytest.raises(ValueError, match="no weight for 'clip'; expected a weight for each of the streams rgb, flow,"):
        stream_weights(["rgb", "flow", "audio", "clip"], 0.15, weights)
    with pytest.raises(ValueError, match=r"localization\.weights names 'audio'"):
        stream_weights(["rgb", "flow"], 0.15, weights)


def test_a_weight_of_zero_leaves_a_stream_out_and_is_said():
    weights = stream_weights(["rgb", "flow", "clip"], 0.15, {"rgb": 0.4, "flow": 0.6, "clip": 0.0})
    parts = [activations([[value]], [[value]], [1]) for value in (1.0, 2.0, 9.0)]
    np.testing.assert_allclose(fuse(parts, weights).cas, [[1.6]])
    assert weights_in_words(["rgb", "flow", "clip"], weights) == "rgb 0.4, flow 0.6; clip left out, at weight 0"


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        ({"rgb": 0.5, "flow": 0.6}, "must sum to 1, and rgb 0.5, flow 0.6 sum to 1.1"),
        ({"rgb": -0.5, "flow": 1.5}, "weight of 'rgb' must be at least 0"),
        ({"rgb": float("nan"), "flow": 1.0}, "weight of 'rgb' must be at least 0 and finite"),
    ],
)
def test_weights_are_checked(weights, fault):
    assert fault in (weights_fault(weights) or "")
    assert weights_fault({"rgb": 0.333, "flow": 0.333, "clip": 0.333}) is None


def test_different_videos_cannot_be_fused():
    one = activations([[1.0], [0.5], [0.2]], [[1.0], [1.0]], [1, 2])
    other = activations([[1.0], [0.5], [0.2]], [[1.0], [1.0]], [2, 1])
    with pytest.raises(ValueError, match="cannot fuse"):
        fuse([one, other], [0.5, 0.5])
    with pytest.raises(ValueError, match="expected one weight for each of 2 parts, got 1"):
        fuse([one, one], [0.5])
