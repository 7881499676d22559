"""Questions compared by vectors that a function of the user's makes, beside their words.

    def vectors(texts):
        return MODEL.encode(texts)

It is called with a list of up to `BATCH` different questions and gives one vector for each, of one
length. Two questions whose vectors have a cosine of at least `alike` are one, unless their words
contradict: vectors hardly see numbers, an order, or the least for the most. What words alone find
stays found. Leaves out on purpose: a model; none is shipped.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.base.errors import PellucidError, Problem, UserError
from pellucid.base.own import FAILS, own_code, split, takes
from pellucid.data.questions.decide import by_words
from pellucid.data.questions.same import Likeness

BATCH = 256
"""Texts of one call."""
HELD = 1 << 16
"""Vectors that are kept in memory; those of an evaluation set come on top."""
_FIELD = "--embedding"


class Embedding:
    """Decides pairs of questions with vectors, and finds what is near."""

    def __init__(self, where: str, alike: float) -> None:
        """Load the function.

        Args:
            where: `file.py:function`.
            alike: least cosine of two questions that are one, in [0, 1].

        Raises:
            UserError: there is no such file or function, or it takes no list of texts.
        """
        code = own_code(_FIELD, where)
        takes(_FIELD, where, code, 1, {})
        self._where, self._function, self._alike = where, code.function, alike
        path, function = split(_FIELD, where)
        self.params = {"code": code.hash, "function": function, "file": path.name, "alike": alike}
        self._vectors: dict[str, np.ndarray] = {}
        self._length: int | None = None
        self._indexed: np.ndarray | None = None
        self._index_of: dict[str, np.ndarray] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Make the vectors of texts, many at a time."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if len(self._vectors) + len(new) > HELD:
            self._vectors = {}
        for start in range(0, len(new), BATCH):
            some = new[start : start + BATCH]
            self._vectors.update(zip(some, self._call(some), strict=True))

    def index(self, texts: Sequence[str]) -> None:
        """Take the texts in which `near` looks."""
        if texts:
            made = [self._call(list(texts[at : at + BATCH])) for at in range(0, len(texts), BATCH)]
            self._indexed = np.concatenate(made)
            self._index_of = dict(zip(texts, self._indexed, strict=True))

    def near(self, text: str) -> set[int]:
        """Numbers of the indexed texts that are alike."""
        if self._indexed is None:
            return set()
        found = np.flatnonzero(self._indexed @ self._of(text) >= self._alike)
        return set(found.tolist())

    def decide(self, pairs: Iterable[tuple[str, str]]) -> list[Likeness]:
        """As `decide.by_words`, and what has alike vectors and no contradiction is one too."""
        pairs = list(pairs)
        self.learn(text for pair in pairs for text in pair if text not in self._index_of)
        found = []
        for (one, other), likeness in zip(pairs, by_words(pairs), strict=True):
            cosine = float(self._of(one) @ self._of(other))
            if not likeness.same and not likeness.contradicts and cosine >= self._alike:
                likeness = likeness._replace(same=True, share=round(cosine, 6))
            found.append(likeness)
        return found

    def _of(self, text: str) -> np.ndarray:
        if text not in self._index_of and text not in self._vectors:
            self.learn([text])
        return self._index_of[text] if text in self._index_of else self._vectors[text]

    def _call(self, texts: list[str]) -> np.ndarray:
        """Vectors of length one; an error of the function is the user's."""
        try:
            made = np.asarray(self._function(texts), np.float64)
        except PellucidError:
            raise
        except FAILS as error:
            raise self._problem(f"raised {type(error).__name__}: {error}") from error
        if made.ndim != 2 or len(made) != len(texts) or not made.shape[1]:
            raise self._problem(
                f"gave an array of shape {made.shape} for {len(texts)} texts, wanted one row each"
            )
        if self._length not in (None, made.shape[1]):
            raise self._problem(f"gave vectors of {self._length} and of {made.shape[1]} numbers")
        if not np.isfinite(made).all():
            raise self._problem("gave a number that is not finite")
        self._length = made.shape[1]
        length = np.linalg.norm(made, axis=1, keepdims=True)
        unit: np.ndarray = (made / np.where(length > 0, length, 1.0)).astype(np.float32)
        return unit

    def _problem(self, rule: str) -> UserError:
        return UserError(Problem(_FIELD, self._where, rule, "mend the function"))
