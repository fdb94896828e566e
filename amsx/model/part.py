"""Random numbers of a batch that several processes compute together, each of them a part of its videos."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Where the videos of one process lie in the whole batch.

    Every process draws the random numbers of the whole batch and takes those of its own videos. So what a video is
    given does not depend on how many processes there are, provided that all of them draw in the same order.
    """

    videos: int  # of the whole batch
    snippets: int  # of the whole batch, padding included
    first: int  # the video of the whole batch that is the first of this part

    def own(self, draws: Tensor, like: Tensor) -> Tensor:
        """Of `draws` (videos, N, ...) for the whole batch, those for `like` (B, n, ...): (B, n, ...)."""
        return draws[self.first : self.first + like.shape[0], : like.shape[1]]


def part_of(like: Tensor, part: Part | None) -> Part:
    """`part`, or where it is None the whole batch `like` (B, T, ...)."""
    return Part(like.shape[0], like.shape[1], 0) if part is None else part
