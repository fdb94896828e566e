"""The strips that show a class of one video."""

import numpy as np

from amsx.data.videos import Timebase
from amsx.experiments.single_videos import cas_strip
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing


def test_a_strip_shows_the_proposals_of_its_own_class():
    cas = np.zeros((6, 3), dtype=np.float32)
    cas[1:3, 0], cas[4:6, 2] = 0.5, 0.9  # class 1 has no proposal, and the best one is of class 2
    activations = Activations(cas, np.array([[0.4, 0.1, 0.5]], dtype=np.float32), np.array([6]))
    options = PostProcessing(class_threshold=0.3, threshold=0.7)
    for channel, expected in ((0, [(1.0, 3.0)]), (1, []), (2, [(4.0, 6.0)])):
        strip = cas_strip("CAS", "base", activations, channel, Timebase(1.0), options)
        assert strip.bars["proposal"] == expected
