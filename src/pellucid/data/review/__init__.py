"""The review page: a person judges a sample, one key a record. Torch-free.

`server.review` runs it, `journal.judgements` reads what was said. The web server is imported only
when it runs.
"""

from pellucid.data.review.journal import Journal, judgements

__all__ = ["Journal", "judgements"]
