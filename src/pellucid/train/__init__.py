"""Supervised training: any number of stages through one loop.

    lengths -> order -> pack -> plan     which examples meet in which step, from headers only
    feed -> batch -> objective -> optim  one step; on a CPU by two halves (replica)
    ranks, deal, shard                   the same step on several devices
    checkpoint, log, folder, stage       a stage that a kill cannot harm

Leaves out on purpose: a loader that works ahead of the passes, and compilation (a compiled step was
not bit-identical on resume).
"""

VERSION = 3
"""Of what a stage computes; a changed meaning raises it, and stages train again."""
