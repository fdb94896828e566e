"""Batches of videos: pairs of videos that share a class for training, whole videos for testing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amsx.choices import CropSampling, Storage
from amsx.data.file_rows import FileRows
from amsx.data.storage import load_rows
from amsx.data.videos import Video
from amsx.zeros import zeros

BUDGET = 16_000  # snippets of a batch of whole videos, padding included


@dataclass(frozen=True)
class Share:
    """The batch of which a `Batch` is the share of one of several processes."""

    labels: Tensor  # (B', C) float32 of all its videos, on the device of the features
    snippets: int  # the most valid snippets of one of its videos
    first: int  # the one of its videos that is the first of the share
    idle: bool  # whether nothing was left for this process, whose share repeats a video of another one


@dataclass(frozen=True)
class Batch:
    """B videos, or crops of them, padded to the longest of them."""

    features: Tensor  # (B, T, D) float32, zero beyond `lengths`
    lengths: Tensor  # (B,) int64, valid snippets, 1..T
    labels: Tensor  # (B, C) float32, 1 where the video has the class
    indices: Tensor  # (B,) int64 on the CPU, the videos' indices in the `FeatureSet`
    first: Tensor  # (B,) int64 on the CPU, the snippet of the video in row 0; 0 unless cropped
    ids: tuple[str, ...]
    snippets: Tensor | None = None  # (B, T) int64 on the CPU, the snippet in each row; None: consecutive ones
    share: Share | None = None  # of a batch that several processes share; None: this is a whole batch

    def to(self, device: torch.device | str) -> "Batch":
        """The batch with features, lengths and labels, on which the model computes, moved to `device`."""
        return replace(
            self,
            features=self.features.to(device),
            lengths=self.lengths.to(device),
            labels=self.labels.to(device),
        )

    def split(self, values: Tensor) -> list[Tensor]:
        """Split values per snippet (B, T, ...) into the valid rows (n, ...) of every video, without the padding."""
        return [rows[:n] for rows, n in zip(values, self.lengths.tolist(), strict=True)]


@dataclass(frozen=True)
class FeatureSet:
    """The features of V videos in one stream; the rows of one video follow those of another."""

    ids: tuple[str, ...]
    rows: Tensor | FileRows  # (N, D) float32 or float16, N snippets in all; in memory, on a device, or in files
    edges: NDArray[np.int64]  # (V + 1,), the rows of video i are edges[i] to edges[i + 1]
    labels: Tensor  # (V, C) float32 multi-hot, on the device of `rows`
    note: str | None = None  # how the features are held, where `storage` "auto" decided against float32

    @classmethod
    def load(
        cls, videos: Sequence[Video], stream: str, classes: Sequence[str], *, storage: Storage = "auto"
    ) -> "FeatureSet":
        """Read the `stream` of `videos`; labels that are not among `classes` are left out.

        `storage`: in memory as "float32" or "float16", "mapped" from a temporary file, read for every batch from the
        data set's own "files", or what `choose_storage` takes for the best ("auto"). Batches are float32 in any case.
        ValueError where there are no videos, a video has no such stream, or its features cannot be used.
        """
        if not videos:
            raise ValueError("no videos to load features of")
        for video in videos:
            if stream not in video.streams:
                raise ValueError(f"video {video.id!r} has no stream {stream!r}, only {sorted(video.streams)}")
        edges = np.concatenate([[0], np.cumsum([video.length_of(stream) for video in videos])]).astype(np.int64)
        rows, note = load_rows(videos, stream, edges, storage)
        return cls(
            tuple(video.id for video in videos),
            rows,
            edges,
            torch.from_numpy(multi_hot([video.labels for video in videos], classes)),
            note,
        )

    def to(self, device: torch.device | str) -> "FeatureSet":
        """The set with its features moved to `device`, so that making a batch there needs no transfer."""
        return replace(self, rows=self.rows.to(device), labels=self.labels.to(device))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(V,) snippets of every video."""
        return np.diff(self.edges)

    def batch(
        self,
        indices: NDArray[np.int64],
        first: NDArray[np.int64],
        lengths: NDArray[np.int64],
        snippets: NDArray[np.int64] | None = None,
    ) -> Batch:
        """A batch of the videos `indices` (B,).

        It holds the `lengths` (B,) consecutive snippets of each from `first` (B,) on; with `snippets` (B, T), it holds
        these snippets instead.
        """
        longest, device = int(lengths.max()), self.rows.device
        features = zeros((len(indices), longest, self.rows.shape[1]), torch.float32, device)
        starts = self.edges[indices] + first
        for b, (out, start, n) in enumerate(zip(features, starts.tolist(), lengths.tolist(), strict=True)):
            if snippets is None:
                out[:n] = self.rows[start : start + n]
            else:
                chosen = torch.from_numpy(self.edges[indices[b]] + snippets[b, :n])
                out[:n] = self.rows[chosen.to(device)]
        which = torch.from_numpy(indices)
        return Batch(
            features,
            torch.from_numpy(lengths).to(device),
            self.labels[which.to(device)],
            which,
            torch.from_numpy(first),
            tuple(self.ids[i] for i in indices.tolist()),
            None if snippets is None else torch.from_numpy(snippets),
        )


def train_batches(
    features: FeatureSet,
    *,
    batch_size: int,
    max_snippets: int,
    seed: int,
    epoch: int,
    sampling: CropSampling = "crop",
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[Batch]:
    """The batches of one epoch. Every video occurs once; of a video longer than `max_snippets`, T of its n snippets do.

    `sampling` chooses the T snippets. "crop" takes consecutive snippets at a random place, as the paper does.
    "uniform" takes the snippets at the centres of T equal parts of the video, the same in every epoch. "jittered" takes
    a random snippet of each of these parts. The latter two show the whole video, n / T times as fast.

    The videos 2k and 2k + 1 of a batch share a class wherever a partner is left (see `pair_order`). The batches depend
    on `seed`, `epoch` and the set alone, so that a run that was killed resumes with the same batches.

    Where several processes train together, `ranks` is their number, and this one, number `rank`, has its share of every
    batch: pairs that follow each other, as many as the others have or one more or less.
    """
    if batch_size < 2 or batch_size % 2:
        raise ValueError(f"batch_size must be even, for a batch holds pairs of videos, got {batch_size}")
    if max_snippets < 1:
        raise ValueError(f"max_snippets must be at least 1, got {max_snippets}")
    if sampling not in get_args(CropSampling):
        raise ValueError(f"sampling must be one of {', '.join(map(repr, get_args(CropSampling)))}, got {sampling!r}")
    rng = np.random.default_rng([seed, epoch])
    order = pair_order(features.labels.cpu().numpy() != 0, rng)
    lengths = np.minimum(features.lengths, max_snippets)
    first = (rng.random(len(features)) * (features.lengths - lengths + 1)).astype(np.int64)
    for start in range(0, len(order), batch_size):
        whole = order[start : start + batch_size]
        begin, end = _share_of(len(whole), rank, ranks)
        own = slice(begin, end) if begin < end else slice(0, 1)  # a process without videos repeats one, and discards it
        indices = whole[own]
        if sampling == "crop":
            batch = features.batch(indices, first[indices], lengths[indices])
        else:
            snippets = spread_snippets(features.lengths[whole], lengths[whole], rng if sampling == "jittered" else None)
            snippets = snippets[own, : int(lengths[indices].max())]
            batch = features.batch(indices, snippets[:, 0].copy(), lengths[indices], snippets)
        if ranks > 1:
            labels = features.labels[torch.from_numpy(whole).to(features.labels.device)]
            batch = replace(batch, share=Share(labels, int(lengths[whole].max()), own.start, idle=begin == end))
        yield batch


def _share_of(videos: int, rank: int, ranks: int) -> tuple[int, int]:
    """The first and the last + 1 of the videos of a batch that are those of a process, whole pairs of them."""
    pairs = (videos + 1) // 2
    begin, end = (2 * (pairs * r // ranks) for r in (rank, rank + 1))
    return begin, min(end, videos)


def spread_snippets(
    n: NDArray[np.int64], samples: NDArray[np.int64], rng: np.random.Generator | None
) -> NDArray[np.int64]:
    """Choose `samples` (B,) of the `n` (B,) snippets of each video, spread evenly: (B, T), T the largest of `samples`.

    A video is cut into as many equal parts as it has samples. Each part gives the snippet at its centre, or with `rng`
    the one at a random place in it. Where there are as many samples as snippets, every snippet is chosen. Values beyond
    a video's number of samples mean nothing, but are valid snippets of the video.
    """
    i = np.arange(int(samples.max()))
    within = np.full((len(n), len(i)), 0.5) if rng is None else rng.random((len(n), len(i)))
    snippets = ((i + within) * (n / samples)[:, None]).astype(np.int64)
    snippets = np.where((samples == n)[:, None], i, snippets)
    return np.minimum(snippets, n[:, None] - 1)


def full_batches(features: FeatureSet, *, budget: int = BUDGET) -> Iterator[Batch]:
    """Batches in which every video occurs once and in full, sorted by length so that there is little padding.

    A batch holds as many videos as fit into `budget` snippets, padding included, and at least one. `Batch.indices` are
    the indices of its videos.
    """
    for chosen in batches_by_length(features.lengths, budget):
        yield features.batch(chosen, np.zeros_like(chosen), features.lengths[chosen])


def batches_by_length(lengths: NDArray[np.int64], budget: int = BUDGET) -> Iterator[NDArray[np.int64]]:
    """The indices of the videos of each batch that `full_batches` makes of videos with `lengths` (V,)."""
    if budget < 1:
        raise ValueError(f"budget must be at least 1 snippet, got {budget}")
    order = np.argsort(lengths, kind="stable").astype(np.int64)
    start = 0
    for i in range(1, len(order) + 1):
        if i == len(order) or (i + 1 - start) * lengths[order[i]] > budget:
            yield order[start:i]
            start = i


def pair_order(labels: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order (V,) of videos with `labels` (V, C), in which the videos 2k and 2k + 1 share a class if they can.

    Videos are drawn one by one. Each is paired with a random video that has one of its classes and is not paired yet.
    Videos for which none is left are paired with each other; apart from those without a label, no two of them share a
    class, so they are at most as many as there are classes. Of an odd number of videos, one comes last.
    """
    members = [rng.permutation(np.flatnonzero(column)).tolist() for column in labels.T]
    own = [rng.permutation(np.flatnonzero(row)).tolist() for row in labels]
    free = [True] * len(labels)
    pairs: list[tuple[int, int]] = []
    alone: list[int] = []
    for video in rng.permutation(len(labels)).tolist():
        if not free[video]:
            continue
        free[video] = False
        for label in own[video]:
            left = members[label]
            while left and not free[left[-1]]:
                left.pop()
            if left:
                partner = left.pop()
                free[partner] = False
                pairs.append((video, partner))
                break
        else:
            alone.append(video)
    last = alone[len(alone) - len(alone) % 2 :]
    pairs += zip(alone[::2], alone[1::2], strict=False)
    shuffled = np.array(pairs, dtype=np.int64).reshape(-1, 2)[rng.permutation(len(pairs))]
    return np.concatenate([shuffled.reshape(-1), np.array(last, dtype=np.int64)])


def multi_hot(labels: Sequence[Sequence[str]], classes: Sequence[str]) -> NDArray[np.float32]:
    """The label names of V videos as an array (V, C), 1 where a video has the class; other names are left out."""
    column = {name: i for i, name in enumerate(classes)}
    result = np.zeros((len(labels), len(classes)), dtype=np.float32)
    for row, names in zip(result, labels, strict=True):
        row[[column[name] for name in names if name in column]] = 1
    return result
