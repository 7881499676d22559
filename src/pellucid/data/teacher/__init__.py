"""Jobs for a teacher: questions about records to an endpoint, and rows made of what it answers.

`JOBS` has them by name, `run.teach` runs one. Everything that was bought stays in the ledger; rows,
verdicts and labels are made from it and may be made again.
"""

from collections.abc import Mapping

from pellucid.data.teacher import answer, caption, rewrite, verify
from pellucid.data.teacher.base import Asking, TeacherJob

__all__ = ["JOBS", "Asking", "TeacherJob"]

JOBS: Mapping[str, TeacherJob] = {
    "answer": answer,
    "caption": caption,
    "rewrite": rewrite,
    "verify": verify,
}
"""By name."""
