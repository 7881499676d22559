"""Whether a clause beside a question is talk about asking and answering, which says nothing else.

    As an assistant for blind users, tell them what they ask for.    yes
    You see the man on the left.                                     no: two questions may differ

Written for prompts of any author: one word of such talk is enough, where nothing in the clause may
tell two questions apart. Leaves out on purpose: clauses that only say where to look (`template`
knows these by all their words), and a question that needs the clause.
"""

import re

from pellucid.data.questions.vocabulary import EMPTY

_TALK = frozenset(
    """
    you your yourself me my i us
    answer answers answered answering answerer reply replies replying respond responds responding
    response responses ask asks asked asking asker question questions questioner questionnaire
    assistant chatbot bot agent user users customer colleague friend student students teacher
    task tasks job duty quiz exam homework exercise problem problems puzzle prompt query item
    qa vqa docvqa chartqa textvqa gqa okvqa infographicvqa infovqa comprehension extraction
    output print write say guess reasoning explanation explanations commentary precise concise
    truthfully honest honestly blank json format verdict style dialog dialogue conversation turn
    sure okay want know help rely consult
    knowledge evidence finish unavailable retrieve lookup completion multiple verify
    true false yes no
    """.split()
)
"""Words of asking and answering."""
_SEEN = frozenset(
    """
    left right top bottom upper lower middle center centre side corner
    front behind above below under beneath near between beside
    red blue green yellow orange purple violet pink brown black white grey gray golden silver
    dark bright dashed dotted solid
    man woman boy girl child person people men women boys girls children guy lady player driver
    """.split()
)
"""Words that say which of the things in a picture are meant."""
_APART = _SEEN | frozenset(
    """
    first second third fourth last
    most least more less fewer largest smallest biggest highest lowest tallest shortest longest
    greater smaller bigger larger higher maximum minimum average total sum mean median difference
    two three four five six seven eight nine ten both each every all
    if unless suppose supposing assume assuming imagine pretend ignore ignoring exclude excluding
    inside outside except besides other remove removed without instead before after until since
    """.split()
)
"""Words that may tell two questions apart."""
_HARMLESS = re.compile(
    r"(?i:\b(?:no\.?|nr\.?|number|round|turn|item|question|exercise|problem|task|q)\s*#?\s*\d+\b)"
    r"|#\s*\d+|\b(?:an?\s+)?(?:\d+|two|three|four|five|all|each|every)[\s-]+"
    r"(?:word|letter|sentence|digit|line|token|steps?|questions?|item)s?\b"
    r"|\b(?:V?QA|OCR|JSON|GUI|UI|AI|I|N/A|LaTeX|English|German|French|Spanish|Chinese)\b"
    r"|\b[A-Z][a-z]*V?QA\b|(?<=[Yy]ou are )[A-Z]\w+|\b(?:before|after)\s+\w*(?:ing)\b"
    r"|\b[QA]\d{1,3}\b|\b[\w-]+\.(?:png|jpe?g|webp|gif|tiff?|pdf)\b"
    r"|\b(?:lower|upper)[\s-]?case\b|\b(?:Yes|No|True|False)\b|\bwithout\s+\w+ing\b"
    r"|\b(?:outside|external|prior|general|world|common)\s+(?:knowledge|sense|information)\b"
    r"|\b(?:question|figure|image|picture|option|choice|table|chart|screenshot|page|one)s?\s+"
    r"(?:below|above)\b|\bat\s+(?:most|least)\b|\bno\s+more\b|\bmultiple\s+choice\b"
)
"""Numbers and names of tasks and of forms of an answer."""
_NAMES = re.compile(r"\d|(?<=\w )[A-Z]|\b[A-Z]{2,}\b")
_NEEDS = re.compile(
    r"\b(?:he|she|him|his|her|hers|they|them|their|it|its|this|these|those|such)\b"
    r"(?!\s+(?:(?:\w+\s+)?(?:image|picture|photo|photograph|figure|chart|graph|plot|diagram|scene"
    r"|document|page|table|map|screen|screenshot|form|receipt|invoice|letter)\b))", re.IGNORECASE,
)  # fmt: skip
"""A word that stands for something said before."""


def talks(clause: str) -> bool:
    """Whether a clause speaks of asking and answering, and of nothing that tells apart.

    >>> talks("Your job is to read values from line graphs."), talks("You see the red bars.")
    (True, False)
    """
    rest = _HARMLESS.sub(" ", clause)
    told = _words(rest) & _TALK or rest != clause
    return bool(told) and not _words(rest) & _APART and not _NAMES.search(rest)


def points(clause: str) -> bool:
    """Whether a clause says which of the things in a picture are meant."""
    return bool(_words(_HARMLESS.sub(" ", clause)) & _SEEN)


def mere_talk(question: str) -> bool:
    """Whether a question is about answering: "Can you help me?", "Yes or no?"."""
    return not _words(question) - _TALK - EMPTY


def alone(question: str) -> bool:
    """Whether a question needs nothing that was said before it.

    >>> alone("What is she holding?"), alone("Who is the author of this page?")
    (False, True)
    """
    return not _NEEDS.search(question)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))
