"""Whether a clause beside a question is talk about asking and answering, which says nothing else.

    As an assistant for blind users, tell them what they ask for.    yes
    You see the man on the left.                                     no: two questions may differ

Written for prompts of any author: one word of such talk is enough, where nothing in the clause may
tell two questions apart. Leaves out on purpose: clauses that only say where to look (`template`
knows these by all their words), and a question that needs the clause.
"""

import re
from collections.abc import Iterable

from pellucid.data.questions.vocabulary import EMPTY

_STRONG = frozenset(
    """
    answer answers answered answering answerer reply replies replying respond responds responding
    response responses ask asks asked asking asker question questions questioner questionnaire
    assistant chatbot bot task job duty quiz exam homework exercise problem prompt query item
    qa vqa docvqa chartqa textvqa gqa okvqa infographicvqa infovqa comprehension extraction
    output print write reasoning explanation explanations commentary precise concise truthfully
    honest honestly blank json format verdict style dialog dialogue conversation knowledge
    evidence finish unavailable retrieve lookup completion multiple verify rely consult verbatim
    noun adjective numeral numerals final result thought rationale
    """.split()
)
"""Words of asking and answering."""
_TALK = _STRONG | frozenset(
    """
    you your yourself me my i us user users customer colleague friend student students teacher
    agent tasks problems puzzle say guess true false yes no sure okay want know help look
    """.split()
)
"""With words that also stand in what is asked about."""
_OTHERS = 2
"""Most words besides that a clause may have which does not begin as an order or a role does."""
_BEGINS = re.compile(
    r"^\W*(?:your|you(?:'re|\s+are)?\s+an?|as\s+an?|answer|please|reply|respond|use|write|give|do"
    r"|don't|output|print|think|keep|be|verify|rely|inspect|examine|read|hey|dear|hello|hi)\b",
    re.IGNORECASE,
)
_CLAIMS = re.compile(
    r"[\"“”«»]|\b(?:says?|said|claims|claimed|claim\s+that|thinks?|wrote|writes|guess)\b", re.I
)
"""A clause that tells what somebody holds to be so."""
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
    r"(?i:^\W*(?:item|question|exercise|problem|task|q)\s*#?\s*\d+\b"
    r"(?:\s*(?:of|/)\s*\d+)?)|\b\d+\s*(?:points?|marks?)\b|\be\.g\.,?\s*\S+"
    r"|(?i:\b(?:dialog|dialogue|chat|conversation)\W+(?:round|turn)\s+\d+)|#\s*0\d+|\b(?:an?\s+)?(?:\d+|two|three|four|five|all|each|every)[\s-]+"
    r"(?:word|letter|sentence|digit|line|token|steps?|questions?|item)s?\b"
    r"|\b(?:V?QA|OCR|JSON|GUI|UI|AI|I|N/A|LaTeX)\b"
    r"|\bin\s+(?:English|German|French|Spanish|Chinese)\b"
    r"|\b[A-Z][a-z]*V?QA\b|(?<=[Yy]ou are )[A-Z]\w+"
    r"|\b(?:[Bb]efore|[Aa]fter)\s+(?:(?:answer|respond|reply|writ|giv|conclud|decid)\w*ing|you)\b"
    r"|\b[QA]\d{1,3}\b|\b[\w-]+\.(?:png|jpe?g|webp|gif|tiff?|pdf)\b"
    r"|\b(?:lower|upper)[\s-]?case\b|\b(?:Yes|No|True|False)\b|\bwithout\s+\w+ing\b"
    r"|\b(?:outside|external|prior|general|world|common)\s+(?:knowledge|sense|information)\b"
    r"|\b(?:question|figure|image|picture|photo|option|choice|screenshot)s?\s+"
    r"(?:below|above)\b|\bat\s+(?:most|least)\b|\bbetween\s+\W*yes\W+and\W+no\b|\bno\s+more\b|\bmultiple\s+choice\b"
)
"""Numbers and names of tasks and of forms of an answer."""
_NAMES = re.compile(r"\d|(?<=\w )[A-Z]|\b[A-Z]{2,}\b")
_JUDGES = re.compile(
    r"\b(?:correct|true|false|supported|claim|statement|caption|guess|match|matches)\b"
    r"|\b(?:am|is|are)\s+(?:\w+\s+){1,3}right\b", re.IGNORECASE,
)  # fmt: skip
_NEEDS = re.compile(
    r"\b(?:i|my|me|we|our)\b"
    r"|\b(?:do|are|can|should)\s+you\b(?!\s+(?:see|notice|observe|read|find|tell)\b)"
    r"|\b(?:he|she|him|his|her|hers|they|them|their|it|its|this|these|those|such)\b"
    r"(?!\s+(?:(?:\w+\s+)?(?:image|picture|photo|photograph|figure|chart|graph|plot|diagram|scene"
    r"|document|page|table|map|screen|screenshot|form|receipt|invoice|letter)\b))", re.IGNORECASE,
)  # fmt: skip
"""A word that stands for something said before."""


def talks(clause: str) -> bool:
    """Whether a clause speaks of asking and answering, and of nothing that tells apart.

    >>> talks("Your job is to read values from line graphs."), talks("You see the red bars.")
    (True, False)
    """
    words = _words(_HARMLESS.sub(" ", clause))
    if not idle(clause) or _CLAIMS.search(clause):
        return False
    others = words - _TALK - EMPTY
    few = len(others) <= _OTHERS or _BEGINS.match(clause)
    return bool(_words(clause) & _STRONG and few) or not others


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
    return not _NEEDS.search(question) and not judges(question)


def judges(question: str) -> bool:
    """Whether a question is about a statement, which then stands beside it: "Is he right?"."""
    return bool(_JUDGES.search(question))


def idle(clause: str) -> bool:
    """Whether nothing in a clause may tell two questions apart, whatever it speaks of."""
    rest = _HARMLESS.sub(" ", clause)
    return not _words(rest) & _APART and not _NAMES.search(rest)


def names(clause: str) -> bool:
    """Whether a clause has a number or a name, or says which of the things are meant."""
    return points(clause) or bool(_NAMES.search(_HARMLESS.sub(" ", clause)))


def harmless(words: Iterable[str]) -> bool:
    """Whether these words of a question's own clause are of asking and answering."""
    return all(one in _TALK or one in EMPTY for one in words)


def asks_of(clause: str) -> bool:
    """Whether a question is put to whoever answers: "What do you write down?"."""
    return bool(_words(clause) & {"you", "your", "yes", "no"})


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))
