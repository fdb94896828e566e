"""The extractor `motion` on flow fields whose motion is known."""

import math

import pytest
import torch
from torch import Tensor

from amsx.video.camera_motion import affine_motion, without
from amsx.video.extractors import Extractor, make_extractor
from amsx.video.flow_histograms import flow_histograms

HEIGHT, WIDTH = 48, 64


def field(dx: float = 0.0, dy: float = 0.0, *, turn: float = 0.0, zoom: float = 0.0, frames: int = 1) -> Tensor:
    """(frames, H, W, 2): a displacement, a rotation by `turn` radians and a growth by `zoom`, about the centre."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5 - HEIGHT / 2, torch.arange(WIDTH) + 0.5 - WIDTH / 2, indexing="ij")
    flow = torch.stack([dx + zoom * x - turn * y, dy + zoom * y + turn * x], dim=-1)
    return flow.expand(frames, -1, -1, -1).float().clone()


@pytest.mark.parametrize(
    ("dx", "dy", "orientation"),
    [(2, 0, 0), (2, 2, 1), (0, 2, 2), (-2, 2, 3), (-2, 0, 4), (-2, -2, 5), (0, -2, 6), (2, -2, 7), (2, -1e-9, 0)],
)
def test_a_displacement_is_in_the_bin_of_its_orientation(dx: float, dy: float, orientation: int) -> None:
    (grid,) = flow_histograms(field(dx, dy), grids=[2], still=0.4)
    expected = torch.zeros(25, 2, 2)
    expected[orientation] = math.hypot(dx, dy)
    torch.testing.assert_close(grid[0], expected, atol=1e-4, rtol=0)


def test_a_vector_between_two_orientations_counts_for_both() -> None:
    angle = math.radians(45 * 0.25)
    (grid,) = flow_histograms(field(math.cos(angle), math.sin(angle)), grids=[1], still=0.4)
    torch.testing.assert_close(grid[0, :3, 0, 0], torch.tensor([0.75, 0.25, 0.0]))


def test_still_pixels_are_counted_apart() -> None:
    flow = field(3, 0)
    flow[:, :, : WIDTH // 2] = 0.3
    (grid,) = flow_histograms(flow, grids=[2], still=0.5)
    torch.testing.assert_close(grid[0, 8], torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(grid[0, 0], torch.tensor([[0.0, 3.0], [0.0, 3.0]]))


def test_a_growth_moves_every_quarter_outwards_and_has_motion_boundaries_along_its_axes() -> None:
    (grid,) = flow_histograms(field(zoom=0.1), grids=[2], still=0.0)
    # Left above, right above, left below, right below: up and left, up and right, down and left, down and right.
    for (row, column), outwards in {(0, 0): 5, (0, 1): 7, (1, 0): 3, (1, 1): 1}.items():
        assert int(grid[0, :8, row, column].argmax()) == outwards
    torch.testing.assert_close(
        grid[0, 9:17].sum(0), torch.full((2, 2), 0.1)
    )  # of the flow to the right, changing to the right
    torch.testing.assert_close(grid[0, 9], torch.full((2, 2), 0.1))
    torch.testing.assert_close(grid[0, 17 + 2], torch.full((2, 2), 0.1))  # of the flow down, changing downwards


def test_a_rotation_goes_round_and_has_motion_boundaries_across_its_axes() -> None:
    (grid,) = flow_histograms(field(turn=0.1), grids=[2], still=0.0)
    for (row, column), along in {(0, 0): 7, (0, 1): 1, (1, 1): 3, (1, 0): 5}.items():  # clockwise on the screen
        assert int(grid[0, :8, row, column].argmax()) == along
    torch.testing.assert_close(grid[0, 9 + 6], torch.full((2, 2), 0.1))  # the flow to the right shrinks downwards
    torch.testing.assert_close(grid[0, 17], torch.full((2, 2), 0.1))  # the flow down grows to the right


def test_the_cameras_motion_is_found_below_something_that_moves_otherwise() -> None:
    flow = field(1.5, -0.5, turn=0.01, zoom=0.02, frames=2)
    background = flow.clone()
    flow[:, 10:34, 20:44] += torch.tensor([6.0, 3.0])  # a fifth of the frame
    motion = affine_motion(flow)
    expected = torch.tensor([[1.5, -0.5], [0.02 * WIDTH, 0.01 * WIDTH], [-0.01 * HEIGHT, 0.02 * HEIGHT]])
    torch.testing.assert_close(motion[0], expected, atol=0.05, rtol=0)
    left = without(flow, motion)
    assert left[background == flow].abs().max() < 0.1
    torch.testing.assert_close(left[0, 20, 30], torch.tensor([6.0, 3.0]), atol=0.1, rtol=0)


@pytest.mark.parametrize("cells", [1, 3])
def test_the_width_is_that_of_the_vectors(cells: int) -> None:
    extractor = motion(cells=cells)
    clips = torch.randn(2, 16, HEIGHT, WIDTH, 2, generator=torch.Generator().manual_seed(0))
    vectors = extractor(clips)
    grids = sum(size**2 for size in range(1, cells + 1))
    assert vectors.shape == (2, extractor.width) == (2, 25 * (grids + 1) + 4 * cells**2 + 12)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(extractor(clips[1:])[0], vectors[1])
    assert extractor.identity().width == extractor.width
    assert extractor.identity().settings["cells"] == cells


def test_the_camera_is_left_out_of_the_histograms_and_kept_beside_them() -> None:
    moving = field(4, 1, frames=16)
    removed, kept = motion()(moving[None])[0], motion(camera="kept")(moving[None])[0]
    torch.testing.assert_close(removed[-12:-10], torch.tensor([4.0, 1.0]), atol=1e-4, rtol=0)
    still = motion()(torch.zeros(1, 16, HEIGHT, WIDTH, 2))[0]
    torch.testing.assert_close(removed[:-12], still[:-12], atol=1e-2, rtol=0)
    assert kept[:8].sum() > 0.9


def test_the_histograms_hardly_depend_on_the_size_of_the_frame() -> None:
    flow = field(turn=0.05, frames=16)
    doubled = flow.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    small, large = (motion(camera="kept", still=0.0)(f[None])[0] for f in (flow, doubled))
    torch.testing.assert_close(small[:8], large[:8], atol=0.02, rtol=0)


def test_what_comes_and_goes_differs_from_what_is_steady() -> None:
    steady = field(1, 0, frames=16)
    pulsing = steady * torch.tensor([0.0, 2.0]).repeat(8)[:, None, None, None]
    extractor = motion(camera="kept")
    over_time = slice(-12 - 4 * 9 - 25, -12 - 4 * 9)  # the standard deviations of the whole frame
    assert extractor(steady[None])[0, over_time].abs().max() == 0
    assert extractor(pulsing[None])[0, over_time][0] > 0.5


def test_no_motion_and_one_frame_give_finite_vectors() -> None:
    assert motion()(torch.zeros(1, 16, HEIGHT, WIDTH, 2)).isfinite().all()
    assert motion(snippet_frames=1)(torch.zeros(1, 1, HEIGHT, WIDTH, 2)).isfinite().all()


@pytest.mark.parametrize("settings", [{"cells": 0}, {"short_side": 16}, {"still": -1}, {"camera": "gone"}, {"bins": 9}])
def test_settings_are_checked(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="motion"):
        motion(**settings)


def motion(**settings: object) -> Extractor:
    return make_extractor("motion", settings)
