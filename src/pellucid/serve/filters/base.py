"""What a filter must say about a text, whole or still growing."""

from typing import Protocol


class Filter(Protocol):
    """Decides about text only; never changes it."""

    @property
    def name(self) -> str:
        """Name in the table, for the audit log."""
        ...

    def blocks(self, text: str, ended: bool) -> bool:
        """Whether a text may not pass.

        Args:
            text: the text, or what of it was not shown yet.
            ended: whether nothing will follow; a word at the end is whole only then.
        """
        ...

    def safe(self, text: str) -> int:
        """How many leading characters of a text that is not blocked may be shown.

        What is kept back might, with what follows, become something that is blocked.
        """
        ...
