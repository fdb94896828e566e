"""Optical flow between consecutive frames, by OpenCV: TV-L1 (the paper's features) or DIS (many times faster)."""

import importlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FlowSettings:
    """The algorithm and how hard it tries."""

    method: Literal["dis", "tvl1"] = "dis"
    preset: Literal["ultrafast", "fast", "medium"] = "medium"  # of DIS, OpenCV's names
    warps: int = 1  # of TV-L1, on each scale; OpenCV's default is 5
    scales: int = 5  # of TV-L1, the levels of its pyramid; OpenCV's default

    def __post_init__(self) -> None:
        if self.warps < 1 or self.scales < 1:
            raise ValueError(f"warps and scales must be at least 1, got {self.warps} and {self.scales}")

    @property
    def used(self) -> dict[str, Any]:
        """The settings that have an effect with this method."""
        names = ("method", "preset") if self.method == "dis" else ("method", "warps", "scales")
        return {name: asdict(self)[name] for name in names}


class OpticalFlow:
    """Computes flow; one object serves frames of one size at a time, on one thread."""

    def __init__(self, settings: FlowSettings) -> None:
        """RuntimeError where OpenCV is not installed, or is the build without the algorithm."""
        try:
            cv2: Any = importlib.import_module("cv2")
        except ModuleNotFoundError as error:
            raise RuntimeError("optical flow needs OpenCV: pip install 'amsx[video]'") from error
        self._cv2 = cv2
        if settings.method == "dis":
            preset = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{settings.preset.upper()}")
            self._algorithm: Any = cv2.DISOpticalFlow_create(preset)
            return
        if not hasattr(cv2, "optflow"):
            raise RuntimeError("TV-L1 is in opencv-contrib-python-headless alone: pip install 'amsx[video]'")
        self._algorithm = cv2.optflow.DualTVL1OpticalFlow_create(warps=settings.warps, nscales=settings.scales)

    def grey(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame (H, W, 3) in grey, (H, W), as `between` takes it."""
        grey: NDArray[np.uint8] = self._cv2.cvtColor(np.ascontiguousarray(frame), self._cv2.COLOR_RGB2GRAY)
        return grey

    def between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The displacement (H, W, 2) in pixels, to the right and down, that takes each pixel of `first` to `second`."""
        flow = self._algorithm.calc(first, second, None)
        return np.asarray(flow, dtype=np.float32)
