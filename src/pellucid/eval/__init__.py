"""Evaluation: items of tasks, answers of a generator, scores, metrics with intervals, reports.

`run.evaluate` fills one folder for one checkpoint; `rescore`, `pairs` and `page` read such folders.
Leaves out on purpose: models. A generator is handed in, so that any checkpoint or endpoint can be
judged.
"""
