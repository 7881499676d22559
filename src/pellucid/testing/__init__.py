"""Contract tests for code of your own: what a run asks of it.

    from pellucid import testing

    def test_brief() -> None:
        testing.check_reward("mine.py:brief", most=20)

A check calls the function with what a run really hands it (answers that are nothing, too much or
broken; records with and without pictures; pictures of any size) and raises an AssertionError that
lists all that a run would refuse. Leaves out on purpose: whether the function measures what you
want; that needs examples of your own.

answers   rewards and scorers          rows      sources
records   operators and tasks          images    image strategies
embedding embeddings of pictures
"""

from pellucid.testing.answers import ANSWERS, check_reward, check_scorer, rollout
from pellucid.testing.embedding import check_image_embedding
from pellucid.testing.images import check_images
from pellucid.testing.records import check_op, check_task
from pellucid.testing.rows import check_rows

__all__ = [
    "ANSWERS",
    "check_image_embedding",
    "check_images",
    "check_op",
    "check_reward",
    "check_rows",
    "check_scorer",
    "check_task",
    "rollout",
]
