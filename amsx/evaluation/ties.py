"""How far the score depends on the order of detections of equal score, which no rule of an evaluator justifies.

Classes are ranked apart, so that the range of mAP is the mean of the ranges of the classes' AP. Where a class has few
orders, all of them are scored. Else these are: random ones, and for each threshold two orders that are built from the
matches. Among equal scores, the best ranks true positives first, which takes no instance from any of them. The worst
ranks first what nothing is left for when the score's turn comes; then, for one instance after another, all
detections that compete for it, most competitors first: the first of them is right, and the others come as early as they
can be wrong.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.matching import Matches, Pairs, class_precisions, match
from amsx.evaluation.precision import average_precision
from amsx.evaluation.protocols import Protocol

MOVED = 0.05  # points of mAP; less than this is not worth a note

_ALL_ORDERS = 720  # of a class: so many are all tried
_RANKED = 1 << 19  # detections that are ranked in all orders of a class, or in all random orders, at most
_MATCHED = 1 << 21  # pairs of a detection and an instance, over all thresholds; beyond it the lowest are left out
_RANDOM = range(2, 51)  # how many random orders are tried, as fits the number of detections


@dataclass(frozen=True)
class Range:
    """mAP over the orders of equal scores, in percent."""

    low: NDArray[np.float64]  # (K,) at each threshold
    high: NDArray[np.float64]  # (K,)
    mean: NDArray[np.float64]  # (K,) over all orders, or over the random ones
    n_tied: int  # detections that share their score with another of their class
    n_random: (
        int  # orders that were tried of classes with too many orders to try them all; 0: all orders of all classes
    )


def note_on_ties(matches: Matches, protocol: Protocol, thresholds: list[float], ap: NDArray[np.float64]) -> str | None:
    """A sentence on the range of mAP over orders of equal scores; None where it moves by MOVED points at most.

    ap: (C, K) percent, as scored in the order of the file.
    """
    found = range_over_orders(matches, protocol, thresholds, ap)
    if found is None:
        return None
    k = int(np.argmax(found.high - found.low))
    if found.high[k] - found.low[k] <= MOVED:
        return None
    mean = found.mean[k]
    tried = f"mean {mean:.1f}; all of them were tried"
    if found.n_random:
        tried = (
            f"mean of {found.n_random} random ones {mean:.1f}; tried were these and, among equal scores, orders made "
            "to rank true positives first and last"
        )
    return (
        f"{found.n_tied} of {len(matches.detections)} detections share their score with another of their class; they "
        f"keep the order of the file, and mAP at tIoU {thresholds[k]:g} is {ap[:, k].mean():.1f}. Other orders gave "
        f"{found.low[k]:.1f} to {found.high[k]:.1f} ({tried})"
    )


def range_over_orders(
    matches: Matches, protocol: Protocol, thresholds: list[float], ap: NDArray[np.float64]
) -> Range | None:
    """The range of mAP over orders of equal scores; None where no scores are equal. ap: (C, K), see `note_on_ties`."""
    label, score = matches.detections.label, matches.detections.score
    if len(score) < 2:
        return None
    fresh = np.append(True, (label[1:] != label[:-1]) | (score[1:] != score[:-1]))
    group = np.cumsum(fresh) - 1  # (N,) the same for detections of equal class and score
    sizes = np.bincount(group)
    n_tied = int(sizes[sizes > 1].sum())
    if not n_tied:
        return None
    low, high, mean = ap.copy(), ap.copy(), ap.copy()
    stops = np.searchsorted(label, np.arange(len(ap) + 1))
    many = []
    for c in np.unique(label[sizes[group] > 1]):
        of_class = slice(int(stops[c]), int(stops[c + 1]))
        in_class = sizes[group[of_class.start] : group[of_class.stop - 1] + 1]
        n_orders = _number_of_orders(in_class)
        if n_orders > _ALL_ORDERS or n_orders * len(in_class) > _RANKED // len(ap):
            many.append(c)
            continue
        scores = _in_all_orders(matches, of_class, in_class, int(c), protocol, thresholds)  # (R, K)
        low[c], high[c], mean[c] = scores.min(axis=0), scores.max(axis=0), scores.mean(axis=0)
    n_random = 0
    if many:
        rows = np.flatnonzero(np.isin(label, many))
        ks = _affordable(matches.pairs, thresholds)
        affected = _Affected(matches, rows, group, protocol, thresholds, ks)
        size = max(len(affected.rows), len(affected.pairs.tiou))
        n_random = int(np.clip(_RANKED // size, _RANDOM.start, _RANDOM.stop - 1))
        total = np.zeros((len(ap), len(ks)))
        for scores in affected.in_random_orders(n_random):
            total += scores
            high[:, ks], low[:, ks] = np.maximum(high[:, ks], scores), np.minimum(low[:, ks], scores)
        low[:, ks] = np.minimum(low[:, ks], affected.in_worst_orders())
        high[:, ks] = np.maximum(high[:, ks], affected.with_hits_first())
        mean[np.ix_(many, ks)] = total[many] / n_random
    return Range(low.mean(axis=0), high.mean(axis=0), mean.mean(axis=0), n_tied, n_random)


def _number_of_orders(sizes: NDArray[np.int64]) -> int:
    """The number of orders of groups of these sizes, or a number above `_ALL_ORDERS`."""
    n_orders = 1
    for size in sizes[sizes > 1].tolist():
        n_orders *= math.factorial(min(size, 7))
        if n_orders > _ALL_ORDERS:
            break
    return n_orders


def _in_all_orders(
    matches: Matches, of_class: slice, sizes: NDArray[np.int64], label: int, protocol: Protocol, thresholds: list[float]
) -> NDArray[np.float64]:
    """(R, K) AP in percent of a class in all its R orders, which are matched at once, as if each were a class."""
    ends = np.cumsum(sizes)
    groups = [permutations(range(end - size, end)) for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]
    orders = np.array(
        [[i for group in order for i in group] for order in product(*groups)]
    )  # (R, n) detections, ranked
    n_orders, n = orders.shape
    rank = np.argsort(orders, axis=1)
    instances = np.flatnonzero(matches.instances.label == label)
    inside = (matches.pairs.detection >= of_class.start) & (matches.pairs.detection < of_class.stop)
    ranks = rank[:, matches.pairs.detection[inside] - of_class.start]  # (R, P)
    place = np.argsort(ranks, axis=1, kind="stable")
    order = np.arange(n_orders)[:, None]
    instance = np.searchsorted(instances, matches.pairs.instance[inside])
    pairs = Pairs(
        (np.take_along_axis(ranks, place, axis=1) + n * order).ravel(),
        (instance[place] + len(instances) * order).ravel(),
        matches.pairs.tiou[inside][place].ravel(),
    )
    correct = match(pairs, n_orders * n, n_orders * len(instances), thresholds, protocol) >= 0
    correct = correct.reshape(len(thresholds) * n_orders, n)
    counted = correct | np.tile(~matches.ambiguous[of_class][orders], (len(thresholds), 1))
    ap = average_precision(correct, counted, len(instances), protocol.interpolated)
    return 100 * ap.reshape(len(thresholds), n_orders).T


def _affordable(pairs: Pairs, thresholds: list[float]) -> list[int]:
    """The thresholds to look at, by index, highest first: all but those of too many pairs to match again and again."""
    ks: list[int] = []
    n_pairs = 0
    for k in np.argsort(thresholds)[::-1].tolist():
        n_pairs += int((pairs.tiou >= thresholds[k]).sum())
        if ks and n_pairs > _MATCHED:
            break
        ks.append(k)
    return ks


class _Affected:
    """The detections of classes with equal scores, to be scored in other orders."""

    def __init__(
        self,
        matches: Matches,
        rows: NDArray[np.int64],
        group: NDArray[np.int64],
        protocol: Protocol,
        thresholds: list[float],
        ks: list[int],
    ) -> None:
        place = np.full(len(group), -1)
        place[rows] = np.arange(len(rows))
        pairs, low = matches.pairs, min(thresholds[k] for k in ks)
        inside = np.flatnonzero((pairs.tiou >= low) & (place[pairs.detection] >= 0))
        self.pairs = Pairs(place[pairs.detection[inside]], pairs.instance[inside], pairs.tiou[inside])
        self.rows = rows
        self.first = np.unique(group[rows], return_index=True)[1]  # where each group begins
        self.group = np.repeat(np.arange(len(self.first)), np.diff(self.first, append=len(rows)))  # (N,)
        self.matches = replace(
            matches,
            detections=matches.detections.rows(rows),
            instance=matches.instance[ks][:, rows],
            counted=matches.counted[ks][:, rows],
            ambiguous=matches.ambiguous[rows],
        )
        self.protocol = protocol
        self.thresholds = [thresholds[k] for k in ks]

    def in_random_orders(self, n: int) -> Iterator[NDArray[np.float64]]:
        """(C, K) AP in percent in each of n random orders."""
        rng = np.random.default_rng(0)
        for _ in range(n):
            order = np.argsort(self.group + rng.random(len(self.rows)))
            yield self._precisions(self._matched(order, self.thresholds))

    def with_hits_first(self) -> NDArray[np.float64]:
        """(C, K) AP in percent with the true positives of the file's order first among equal scores, spared ones last.

        Ranked so, every one of them is still a true positive, since none that comes first takes another's instance.
        """
        place = np.arange(len(self.rows)) - self.first[self.group]
        correct, counted = (
            place < np.add.reduceat(marked, self.first, axis=1, dtype=np.int64)[:, self.group]
            for marked in (self.matches.instance >= 0, self.matches.counted)
        )
        return self._precisions(replace(self.matches, instance=np.where(correct, 0, -1), counted=counted))

    def in_worst_orders(self) -> NDArray[np.float64]:
        """(C, K) AP in percent, at each threshold in the order that is built to be the worst for it."""
        columns = []
        for k, threshold in enumerate(self.thresholds):
            matches = self._matched(self._worst_order(k), [threshold])
            columns.append(self._precisions(matches)[:, 0])
        return np.stack(columns, axis=1)

    def _worst_order(self, k: int) -> NDArray[np.int64]:
        """(N,) the detections, ranked so that true positives come as late as they can at threshold k."""
        pairs, instance, n_instances = self.pairs, self.matches.instance[k], len(self.matches.instances)
        hits = np.flatnonzero(instance >= 0)
        turn = np.full(n_instances, -1)  # the group in which an instance is taken
        turn[instance[hits]] = self.group[hits]
        if self.protocol.chooser == "detection":
            threshold = self.thresholds[k]
            reach = pairs.tiou > threshold if self.protocol.strict else pairs.tiou >= threshold
        else:  # an instance takes what it overlaps most: only a detection that it overlaps as much competes for it
            most = np.full(n_instances, np.inf)
            taken = instance[pairs.detection] == pairs.instance
            most[pairs.instance[taken]] = pairs.tiou[taken]
            reach = pairs.tiou == most[pairs.instance]
        competes = np.flatnonzero(reach & (turn[pairs.instance] == self.group[pairs.detection]))
        wanted = np.full(len(self.rows), -1)  # the instance that a detection competes for, if any
        wanted[pairs.detection[competes]] = pairs.instance[competes]
        wanted[hits] = instance[hits]
        competitors = np.bincount(wanted[wanted >= 0], minlength=n_instances)
        place = np.empty(n_instances + 1, dtype=np.int64)
        place[np.argsort(-competitors, kind="stable")] = np.arange(1, n_instances + 1)
        place[-1] = 0  # those that compete for nothing
        return np.argsort(self.group * (n_instances + 1) + place[wanted], kind="stable")

    def _matched(self, order: NDArray[np.int64], thresholds: list[float]) -> Matches:
        """The matches of the detections in another order."""
        reach = np.flatnonzero(self.pairs.tiou >= min(thresholds))
        counts = np.bincount(self.pairs.detection[reach], minlength=len(order))
        stops, moved = np.cumsum(counts), counts[order]
        # The pairs of a detection are a run, which moves as a whole.
        first = (stops - counts)[order] - (np.cumsum(moved) - moved)
        place = reach[np.repeat(first, moved) + np.arange(len(reach))]
        pairs = Pairs(np.repeat(np.arange(len(order)), moved), self.pairs.instance[place], self.pairs.tiou[place])
        instance = match(pairs, len(order), len(self.matches.instances), thresholds, self.protocol)
        ambiguous = self.matches.ambiguous[order]
        return replace(self.matches, instance=instance, counted=(instance >= 0) | ~ambiguous)

    def _precisions(self, matches: Matches) -> NDArray[np.float64]:
        return 100 * class_precisions(matches, matches.instances, self.protocol.interpolated)
