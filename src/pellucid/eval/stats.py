"""Intervals: of shares, of means, ratios and quantiles of clustered items, and of rare events.

Items that share a picture are not independent. So shares use the effective number of items, and all
else resamples whole clusters. All intervals are two-sided with 95 %.
Wilson's interval is in `base/interval.py`, which the data room uses as well.

Leaves out on purpose: p-values and tests. An interval of a difference says more.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.base.interval import Interval

RESAMPLES = 1000
"""Draws of a bootstrap."""

_CELLS = 2_000_000
"""Numbers that a bootstrap holds at once; only memory depends on it."""


def clopper_pearson_upper(events: int, n: int, confidence: float = 0.975) -> float:
    """Largest rate under which `events` or fewer of `n` are not too rare: an exact upper bound.

    Args:
        events: seen, 0 to n.
        n: independent trials, at least 1.
        confidence: one-sided; 0.975 is the upper end of a two-sided 95 % interval.

    Source: Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.
    """
    assert 0 <= events <= n and n > 0, f"{events} events of {n}"
    assert 0 < confidence < 1, f"confidence {confidence}"
    if events == n:
        return 1.0
    low, high = events / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(events, n, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def clustered_se(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Standard error of a mean whose items share clusters; infinite with only one cluster.

    The square root of G / (G - 1) times the sum of squared cluster residuals, over n, for G
    clusters. With one item in each, this is the ordinary standard error.
    Source: Miller 2024, arXiv:2411.00640, section 2.2; small-sample factor as in Liang and Zeger.
    """
    sums, sizes = _by_cluster(values, clusters)
    count = len(sums)
    if count < 2:
        return math.inf
    mean = sums.sum() / sizes.sum()
    squares = float(np.square(sums - mean * sizes).sum())
    return math.sqrt(count / (count - 1) * squares) / len(values)


def effective_n(shares: Sequence[float], clusters: Sequence[str]) -> float:
    """Number of independent items that would tell as much about a mean share as these do.

    n over the design effect, clustered variance / binomial variance (Kish 1965); between 1 and n.
    Items that are all alike show no variance to compare: they count as one for each cluster.

    Args:
        shares: in [0, 1], at least one.
        clusters: one name for each.
    """
    count, n = len(set(clusters)), len(shares)
    if count == n or min(shares) == max(shares):
        return count
    mean = math.fsum(shares) / n
    variance = clustered_se(shares, clusters) ** 2
    if variance == 0:
        return n
    return min(float(n), max(1.0, mean * (1 - mean) / variance))


def bootstrap_mean(
    values: Sequence[float], clusters: Sequence[str], seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """Percentile interval of a mean, from drawing whole clusters; None with fewer than two."""
    return bootstrap_ratio(values, [1.0] * len(values), clusters, seed, resamples)


def bootstrap_ratio(
    above: Sequence[float],
    below: Sequence[float],
    clusters: Sequence[str],
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile interval of sum(above) / sum(below), from drawing whole clusters.

    Draws whose lower sum is 0 have no ratio and are left out.

    Args:
        above: one number for each item.
        below: one number for each item, none negative.
        clusters: one name for each item; their order among the items does not matter.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        None with fewer than two clusters, or where no draw has a ratio.
    """
    tops, _ = _by_cluster(above, clusters)
    bottoms, _ = _by_cluster(below, clusters)
    if len(tops) < 2:
        return None
    draws = []
    for weights in _weights(len(tops), seed, resamples, len(tops)):
        # Not a matrix product: its rounding may follow the number of threads.
        top, bottom = (weights * tops).sum(axis=1), (weights * bottoms).sum(axis=1)
        draws.append(top[bottom > 0] / bottom[bottom > 0])
    return _percentiles(np.concatenate(draws))


def bootstrap_mean_of_means(
    values: Sequence[float],
    clusters: Sequence[str],
    parts: Sequence[str],
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile interval of the unweighted mean over parts of each part's mean.

    Clusters are drawn over all parts at once, since parts may share them; a draw that leaves a part
    out has no mean and is left out itself.

    Args:
        values: one number for each item.
        clusters: one name for each item.
        parts: the part of each item.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        None with fewer than two clusters, or where no draw has a mean.
    """
    names = {name: index for index, name in enumerate(sorted(set(clusters)))}
    wanted = {name: index for index, name in enumerate(sorted(set(parts)))}
    if len(names) < 2:
        return None
    sums, sizes = np.zeros((len(wanted), len(names))), np.zeros((len(wanted), len(names)))
    for value, cluster, part in zip(values, clusters, parts, strict=True):
        sums[wanted[part], names[cluster]] += value
        sizes[wanted[part], names[cluster]] += 1
    draws = []
    for weights in _weights(len(names), seed, resamples, len(names)):
        tops = np.stack([(weights * row).sum(axis=1) for row in sums])
        bottoms = np.stack([(weights * row).sum(axis=1) for row in sizes])
        whole = (bottoms > 0).all(axis=0)
        draws.append((tops[:, whole] / bottoms[:, whole]).mean(axis=0))
    return _percentiles(np.concatenate(draws))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank).

    >>> quantile([5.0, 1.0, 4.0], 0.5)
    4.0
    """
    assert values and 0 <= share <= 1, f"the {share} quantile of {len(values)} values"
    return sorted(values)[int(_ranks(share, len(values))) - 1]


def bootstrap_quantile(
    values: Sequence[float],
    share: float,
    clusters: Sequence[str],
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile interval of `quantile`, from drawing whole clusters; None with fewer than two."""
    names = {name: index for index, name in enumerate(sorted(set(clusters)))}
    if len(names) < 2:
        return None
    ranked = np.asarray(values, dtype=np.float64)
    order = np.argsort(ranked, kind="stable")
    ranked = ranked[order]
    owners = np.asarray([names[cluster] for cluster in clusters])[order]
    draws = []
    for weights in _weights(len(names), seed, resamples, len(values)):
        reached = np.cumsum(weights[:, owners], axis=1)
        ranks = _ranks(share, reached[:, -1:])
        draws.append(ranked[np.argmax(reached >= ranks, axis=1)])
    return _percentiles(np.concatenate(draws))


def _ranks(share: float, counts: int | NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest ranks, from 1; the small number keeps 0.95 of 20 at 19, however it is rounded."""
    return np.maximum(1.0, np.ceil(share * np.asarray(counts, dtype=np.float64) - 1e-9))


def _by_cluster(
    values: Sequence[float], clusters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each cluster, clusters sorted by name."""
    names = {name: index for index, name in enumerate(sorted(set(clusters)))}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for value, cluster in zip(values, clusters, strict=True):
        sums[names[cluster]] += value
        sizes[names[cluster]] += 1
    return sums, sizes


def _weights(clusters: int, seed: int, resamples: int, width: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster was drawn: [draws, clusters], in batches that add up to `resamples`.

    Args:
        clusters: number of clusters; as many are drawn each time, with replacement.
        seed: of the draws.
        resamples: number of draws.
        width: numbers that the caller holds for each draw; sets the size of a batch.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    batch = max(1, _CELLS // max(clusters, width))
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        drawn = rng.integers(0, clusters, size=(count, clusters))
        places = drawn + clusters * np.arange(count)[:, None]
        times = np.bincount(places.ravel(), minlength=count * clusters)
        yield times.reshape(count, clusters).astype(np.float64)


def _percentiles(draws: NDArray[np.float64]) -> Interval | None:
    if not len(draws):
        return None
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(low), float(high))


def _at_most(events: int, n: int, rate: float) -> float:
    """Probability of `events` or fewer among `n` trials."""
    if rate >= 1:
        return float(events >= n)
    if rate <= 0:
        return 1.0
    terms = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(rate) + (n - k) * math.log1p(-rate)
        for k in range(events + 1)
    )  # fmt: skip
    return math.fsum(math.exp(term) for term in terms)
