"""Triage: what a set of records is worth, from a few minutes with a sample of it.

A stratified sample of each set (`sample.py`), looked at by signals (`signals/`) or by a person
(`data/review`), gives error rates with intervals (`interval.py`); a policy makes of them one or
several of the report's five classes and a consequence (`decide.py`). Torch-free.
"""

from pellucid.data.triage.agreement import Agreement, compare
from pellucid.data.triage.policy import policy_of
from pellucid.data.triage.run import SetReport, Triage, by_reviewer, triage
from pellucid.data.triage.sets import RecordSet, sets_of

__all__ = [
    "Agreement",
    "RecordSet",
    "SetReport",
    "Triage",
    "by_reviewer",
    "compare",
    "policy_of",
    "sets_of",
    "triage",
]
