"""Ratios of alternating paired runs, with their uncertainty."""

import random
import statistics

BOOTSTRAP = 0.025  # of the resampled medians lie beyond each end of an interval


def median_ratio(a, b):
    """of a[i] / b[i], which were measured one after the other"""
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def interval(a, b, statistic=lambda pairs: statistics.median(x / y for x, y in pairs)):
    """The 95 % bootstrap interval of a statistic over pairs."""
    rng = random.Random(7)
    pairs = list(zip(a, b, strict=True))
    found = sorted(statistic(rng.choices(pairs, k=len(pairs))) for _ in range(2000))
    return found[int(BOOTSTRAP * len(found))], found[int((1 - BOOTSTRAP) * len(found)) - 1]
