"""Late fusion of branches and streams (Eq. 12)."""

import numpy as np
import pytest

from amsx.localization.fusion import Activations, fuse, stream_weights


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


def test_different_videos_cannot_be_fused():
    one = activations([[1.0], [0.5], [0.2]], [[1.0], [1.0]], [1, 2])
    other = activations([[1.0], [0.5], [0.2]], [[1.0], [1.0]], [2, 1])
    with pytest.raises(ValueError, match="cannot fuse"):
        fuse([one, other], [0.5, 0.5])
    with pytest.raises(ValueError, match="expected one weight for each of 2 parts, got 1"):
        fuse([one, one], [0.5])
