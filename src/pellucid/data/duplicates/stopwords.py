"""Words of a question that carry no content: what is left when they go is what is asked about.

English only; a question in another language keeps all its words, so paraphrases there are not
seen. Leaves out on purpose: words that change the answer (not, least, total, left, ...).
"""

from functools import lru_cache

import numpy as np

from pellucid.data.duplicates import words

STOPWORDS = frozenset(
    """
    a an the this that these those it its is are was were be been being am do does did done has have
    had having of in on at to for from by with within as and or if then so there here into onto upon
    i you we he she they me us my your our their his her him them what which who whom whose when
    where how why much many can could would will shall should may might must please kindly tell give
    say state name write find determine identify report read look see view show shows shown display
    displayed displays depict depicted depicts illustrate illustrated present presented contain
    contained contains appear appears list listed indicate indicated indicates mention mentioned
    according based using use given provided following image picture photo
    photograph figure chart graph plot diagram document page screenshot screen illustration value
    number amount count quantity answer question respond reply directly just only exactly one single
    word short phrase also let know want need like about regarding concerning s t re ll ve d m
    """.split()
)
"""Words as the normal form has them."""

ORDERED = frozenset(
    """
    left right above below over under before after between behind front than more less fewer greater
    larger smaller higher lower taller shorter longer bigger minus divided subtract subtracted times
    plus percent ratio per change increase decrease difference exceed exceeds follow follows precede
    top bottom inside outside earlier later older younger faster slower not no without except
    """.split()
)
"""Where one of these stands, the order of the other words is part of the question."""


def content_hash(asked: words.Words) -> np.ndarray:
    """One hash per question of its content words: in any order, unless the order says something.

    A question of stop words alone keeps all its words.
    """
    plain, relations = _tables()
    keep = ~_isin(asked.stems, plain)
    total = np.concatenate([[0], np.cumsum(keep)])
    empty = total[asked.starts[1:]] == total[asked.starts[:-1]]
    keep |= np.repeat(empty, asked.counts)
    values, starts = words.kept(asked.stems, asked.starts, keep)
    related = np.concatenate([[0], np.cumsum(_isin(values, relations))])
    in_order = related[starts[1:]] > related[starts[:-1]]
    return np.where(in_order, words.ordered(values, starts), words.bag(values, starts))


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray]:
    return words.known_words(sorted(STOPWORDS)), words.known_words(sorted(ORDERED))


def _isin(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    found: np.ndarray = table[at] == values
    return found
