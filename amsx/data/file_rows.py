"""Features that stay in the files of a data set, from which the rows that a batch needs are read when it needs them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.data.features import FeatureArray, FeatureFile


class FileRows:
    """The rows (N, D) of one stream of V videos, float32; used like a tensor of which rows of one video are taken.

    A file is open while it is read and no longer, so nothing is shared with other threads or processes.
    """

    def __init__(
        self, files: Sequence[FeatureFile | FeatureArray], edges: NDArray[np.int64], device: torch.device | str = "cpu"
    ) -> None:
        """The rows of video i are `edges`[i] to `edges`[i + 1]; `edges` is (V + 1,)."""
        self._files, self._edges, self.device = files, edges, torch.device(device)
        self.shape = (int(edges[-1]), files[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Some rows of one video on `device`: (n, D) of a slice without a step, or of indices (n,).

        ValueError where its file changed or a value is NaN or infinite; OSError where it cannot be read.
        """
        if isinstance(rows, Tensor):
            first = int(rows.min())
            return self[first : int(rows.max()) + 1][rows - first]
        video = int(np.searchsorted(self._edges, rows.start, side="right")) - 1
        begin = int(self._edges[video])
        return torch.from_numpy(self._files[video].load(rows.start - begin, rows.stop - begin)).to(self.device)

    def to(self, device: torch.device | str) -> "FileRows":
        """The same rows, which come to `device` when they are read."""
        return FileRows(self._files, self._edges, device)

    def videos(self) -> Iterator[Tensor]:
        """The rows (n, D) of one video after the other."""
        for begin, end in zip(self._edges[:-1].tolist(), self._edges[1:].tolist(), strict=True):
            yield self[begin:end]
