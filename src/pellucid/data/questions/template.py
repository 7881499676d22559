"""A prompt without its template: the question in it, and the options that go with it.

    You are given a chart. Reply briefly: What is the rate in Spain? A. 3 B. 5
    -> What is the rate in Spain?            options A: 3, B: 5

Whoever is spoken to, what to look at and how to answer are left out wherever something else is
asked. What may tell two questions apart (a number, a name, left or right) stays, even in a clause
that only says where to look. Leaves out on purpose: what is asked, which `wording` reads, and
templates in other languages but for their words for question and answer.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from pellucid.data.questions.talk import alone, idle, judges, mere_talk, points, talks
from pellucid.data.questions.vocabulary import EMPTY

OPTIONS = 0.5
"""Least share of options that two lists must have in common."""


class Asked(NamedTuple):
    """What a prompt asks."""

    text: str
    """The question; the whole prompt, if nothing were left."""
    options: tuple[tuple[str, str], ...]
    """Label and text of each option, in their order; labels are capital letters or numbers, or
    empty for options that have none."""
    core: str = ""
    """The sentence that asks, if one alone does."""


def _any(*some: str) -> str:
    """A pattern that matches any of these; spaces in them stand for any white space."""
    words = (word for line in some for word in line.split("|"))
    return "(?:" + "|".join(word.strip().replace(" ", r"\s+") for word in words) + ")"


_WH = _any("what|which|who|whom|whose|how|when|where|why")
_IS = _any("is|are|was|were|do|does|did|has|have|had|can|could|would|will|should|may")
_ASKS = rf"(?:(?:(?:in|on|at|by|for|from|to|of|with|under)\s+)?{_WH}\b|{_IS}\b(?!\s+not\b))"
_FIELDS = (
    "question", "query", "instruction", "prompt", "content", "text", "value", "messages",
    "conversations", "conversation",
)  # fmt: skip
"""What is asked in a prompt that is a JSON object."""
_OTHERS = "system", "assistant", "gpt", "bot", "tool", "function", "model"
"""Who does not ask in such a prompt."""
_TAG = re.compile(
    r"<\|[^|<>]{1,30}\|>(?:system|user|assistant)?"
    r"|</?(?:image|img|video|think|answer|final|question|query|context|response|hint|s|int)>"
    r"|\[/?INST\]|\\boxed\{\s*(?:your answer|answer|x|\.*)\s*\}", re.IGNORECASE,
)  # fmt: skip
_LABEL = re.compile(
    r"^\W*" + _any(
        "system|user|human|assistant|bot|gpt|ai|model|teacher|tutor|student|image|instruction|task",
        "query|question|problem|prompt|input|q|a|answer|response|rationale|solution|output",
    ) + r"(?:\s*\((?:easy|medium|hard|optional)\))?(?:\s*[:：]|>)"
    r"|^\W*\[(?:turn|round|question|query|user|human|instruction|input|q)\s*\d{0,3}\]"
    rf"|^\W*\(?\d{{1,2}}[.)]\s+(?={_ASKS})|^\W*[QA]\d{{1,3}}\s*[.)]"
    rf"|^\W*\(\w*QA(?:v\d)?\)\s+(?={_ASKS})", re.IGNORECASE,
)  # fmt: skip
_CAPTION = re.compile(r"\W*(?:\w+\s?){1,3}[:>\]]\W*|\W*(?:Q|A|Ans)\.\W*")
"""What an answer would follow, if its words are of asking: "Final answer:"."""
_BOLD = re.compile(r"(?<!\w)\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\w)")
_SENTENCES = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!a\.m\.)(?<!p\.m\.)(?<!\sno\.)(?<!\snr\.)\s+"
    r"|(?<=[.!?][\"”'»])\s+|(?<=[。！？])|\n+|;\s+"
    r"|(?<=[.!?])(?=NOTE:)"
)
_SYMBOLS = {"△": " triangle ", "∥": " parallel ", "⊥": " perpendicular ", "∠": " angle "}

_MARK = re.compile(r"(?<![\w.])(?:\(([A-Ha-h]|\d)\)|([A-H])[.):](?=\s)|(\d)\)(?=\s))\s*")
_LINE = re.compile(r"^[ \t]*\(?([A-Ha-h])(?:[.)][ \t]+|:[ \t]*)(?=\S)", re.MULTILINE)
_SMALL = re.compile(r"(?<![\w.])([a-h])[.)](?=\s)\s*")
_BRACES = re.compile(r"\{([^{}:,\n]+(?:,[^{}:,\n]+)+)\}")
_STOP = r"(?<=[^\W\d])[.?!](?=\s|$)|\n|$"
_END = re.compile(_STOP)
_OFFER = _any(
    "(?:answer |the |my )?(?:choices|options|candidates)|possible answers",
    "(?:choose|pick|select)(?: one)?(?: (?:from|of|among))?(?: the following)?",
)
_OFFERED = re.compile(rf"\b{_OFFER}(?:\s+are)?[\s:：\[]*$", re.IGNORECASE)
_LISTED = re.compile(
    rf"\b(?:{_OFFER}\s*:|my\s+(?:options|choices)\s+are\b)"
    rf"\s*(?:\[([^\]\n]*)\]\.?|(.+?)(?:{_STOP}))", re.IGNORECASE,
)  # fmt: skip
_LETTERS = re.compile(r"\(\s*[A-H](?:\s*[,/]\s*[A-H])*(?:\s*[,/]|,?\s+(?:or|and))\s*[A-H]\s*\)")
_REMARK = re.compile(
    r"\((?:(?:a|an|the|one|only|just|single|short|final|your|answer|integer|word|phrase|option|letter|dashe|lowercase"
    r"|number|numeral|unit|decimal|in|or|with|and|is)s?[\s=+,:]*)+\)\W{0,3}$"
    r"|\(\s*\)\W{0,3}$", re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
_AS = re.compile(
    r",?\s+(?:and\s+)?nothing\s+else\W*$|"
    r",?\s+(?:with|in)\s+(?:one|a\s+single)\s+(?:word|adjective|phrase|number|sentence)[\s.!]*$|"
    r",\s+in\s+plain\s+text\b.*$|"
    rf",?\s+{_any('wrapped|enclosed|formatted')}\s+{_any('as|in|inside|within')}\b.*$",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",?\s+and\s+(?:output|return|print|write|give)\s+(?:it|the\s+\w+)\s+(?:as|in)\b.*$|"
    r",?\s+and\s+(?:then\s+)?(?:answer|reply|respond|copy)\b[^?]*$|"
    r"\s+(?:exactly\s+)?as\s+(?:it\s+)?(?:is\s+)?(?:printed|written|shown|appears|stated)\b[^?]*$",
    re.IGNORECASE,
)
"""What is said of the answer behind what is asked, unless it may tell two questions apart."""

_ANSWER = _any(
    r"answers?|answered|answering|respon[ds]\w*|repl(?:y|ies)|explanations?|punctuation|reasoning",
    r"concise(?:ly)?|brief(?:ly)?|succinct(?:ly)?|step[- ]by[- ]step|json|digits|phrase|tags?",
    r"boxed|format|letters?|options?|choices?|single|steps?|numerals?|numerical|brackets",
    r"true or false|yes or no|sentences?",
)
_FOREIGN = re.compile(
    r"\b" + _any(
        r"fragen?|beantworte\w*|antwort\w*|pregunta\w*|respuesta\w*|respond[ae]\w*|pergunta\w*",
        r"réponds|répondez|réponse|domanda|rispond\w*|pytani\w*|odpowied\w*|vraag|antwoord",
        r"вопрос\w*|ответ\w*",
        r"danke|gracias|merci|grazie|obrigad[oa]",
    ) + r"\b|问|答|質問|질문", re.IGNORECASE,
)  # fmt: skip
"""Question and answer in other languages."""
_ORDER = _any(
    "answer|respond|reply|choose|select|pick|begin|put|output|return|provide|give|write|think",
    "explain|show|format|end|finish|present|reason|keep|ensure|make sure|wrap|use|include|be|your",
    "the (?:final |whole )?(?:answer|response|reply|reasoning)|do not|don't|no|only|without|if",
    "limit|state",
)
_HOW = re.compile(
    r"^\W*(?:"
    r"(?:note|hint|instructions?)\s*:"
    rf"|(?:please\s+)?(?:(?:directly|only|just|first|then|finally)\W+)?{_ORDER}\b.*\b{_ANSWER}\b"
    r"|(?:(?:only|just|the|a|one)\s+)*(?:letter|number|digits?|word|name)s?(?:\s+only)?,?"
    r"(?:\s+please)?\W*$"
    r"|(?:please\s+)?answer\s+(?:the|this|my|these)\b.*\bquestions?\b"
    r"|show\s+(?:your|all|the)\s+(?:work|steps?|reasoning)\b|(?:reference\s+)?ocr\s+tokens?\s*:"
    r"|(?:just|only)\s+(?:the|a|one)\b|(?:one|a)\s+(?:single\s+)?(?:line|word|sentence)\b"
    r"|(?:copy|output|put|write|keep|print|return|report|give)\s+"
    r"(?:it\b|the\s+(?:value|number|name|letter|text|result|figure|amount|date)\s*(?:only\b|exactly\b|as\b|verbatim\b|\W*$))"
    r"|solve\s+(?:the|this)\s+(?:task|problem|question|exercise)\b"
    r"|(?:if|when|where)\b.*,\s+(?:then\s+)?(?:respond|answer|reply|say|write|output)\b"
    r"|round\s+(?:your|to|nothing|up|down|off|the\s+(?:final\s+)?(?:answer|result|value))\b"
    r"|if\s+(?:unsure|not\s+sure|unclear)\b|answer\s+format\b"
    r"|(?:letter|number|name|digit|word)s?\s+only\b"
    r"|(?:no|without)\s+(?:any\s+)?(?:additional|further|extra|other|markdown|comment\w*)\b"
    r"|(?:put|place|box|enclose)\s+(?:the|your)\b|there\s+is\s+only\s+one\b"
    r"|thank\s+you\b|(?:many\s+)?thanks\b|use\s+the\s+exact\b|(?:first,?\s+)?(?:think|reason)\b(?!\s+about)"
    r"|which\s+(?:one\s+)?is\s+(?:right|correct|true)\W*$"
    r"|(?:write|say|put|output)\s+\W*(?:n/?a|unknown|unanswerable|none)\b"
    r"|(?:no|without)\s+(?:punctuation|explanations?|units?)\b|(?:please\s+)?quote\s+it\b"
    r"|(?:reply|respond|answer)\s+(?:with|in|using|as|by|after|only|directly|briefly|exactly)\b"
    r"|(?:let'?s\s+)?think\s+step\s+by\s+step|(?:options?|choices?)\s*:?\s*$"
    r")", re.IGNORECASE,
)  # fmt: skip
"""A sentence that says how to answer."""
_SPEAKS = re.compile(
    rf"^(?!.*\d).*\b{_any('answers?|responses?|respond|reply|explanations?|reasoning')}\b|"
    r"^\W*(?:please\s+)?(?:do\s+not\s+)?explain(?:\W*$|\s+(?:your|why|briefly|how\s+you)\b)|"
    r"\bstep[- ]by[- ]step\b|^\W*(?:please\s+)?(?:output|return|give|write)\s+(?:only|just)\b|"
    r"^\W*if\b(?!.*\d).*\b(?:asked|unsure|can(?:not|'t)|visible|show|know|guess|insufficient)\b|"
    r"^\W*(?:the\s+following|this)\s+is\s+(?:a|the)\s+question\b",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip
"""Beside a question, one that speaks of the answer to it."""
_LOOK = r"(?:please\s+)?(?:(?:carefully|closely)\s+)?" + _any(
    "stud(?:y|ying)|look(?:ing)?(?: (?:closely|carefully))? at|examin(?:e|ing)|inspect(?:ing)?",
    "read(?:ing)?|observ(?:e|ing)|analy[sz](?:e|ing)|consider(?:ing)?|review(?:ing)?",
    "refer(?:ring)? to|view(?:ing)?|think(?:ing)? about|see",
) + r"\b"  # fmt: skip
_ROLE = re.compile(
    r"^\W*(?:(?:assume|imagine|suppose|pretend)\s+(?:that\s+)?)?you(?:'re|\s+are)\s+an?\b(?!.*\bfacing\b)"
    r"|^\W*(?:act\s+as\b|role\s*:|a\s+chat\s+between\b|(?:hello|hi|hey)\W*$)"
    r"|^\W*(?:\w+(?:-\w+)*\s+){1,4}(?:task|attached|extraction|v?qa|answering)\W*$", re.IGNORECASE,
)  # fmt: skip
"""A sentence that says who is asked."""
_INTRO = re.compile(
    r"^\W*(?:you(?:'re|\s+are)\s+(?:given|provided|shown|asked)\b"
    r"|(?:the\s+following|below|this|here)\s+(?:is|are)\b|here's\b)"
    r"(?!.*\b(?:left|right|first|second|last|top|bottom|upper|lower|where|whose)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""A sentence that says what the picture is."""
_SCENE = re.compile(
    rf"^\W*(?:{_LOOK}|context\s*:|(?:a\s+)?questions?\s+(?:about|on)\b|you(?:'re|\s+are)\s+looking\b"
    r"|i\s+(?:have|attached)\b|us(?:e|ing)\b)", re.IGNORECASE,
)  # fmt: skip
"""A sentence that says what to look at."""
_COLON = re.compile(
    rf"^([^:?|>]*?)\s*(?::|\||>{{1,3}}|--|[—–]|\s-)\s*(?=[\"“'«]?{_ASKS})", re.IGNORECASE
)
_ABOUT = re.compile(
    rf"^\W*(?:{_LOOK}|us(?:e|ing)\b)|\b(?:{_ANSWER}|questions?|tell me)\b", re.IGNORECASE
)
_TELL = _any(
    "tell|write down|report|find|count|extract|let me know|decide|answer|say|explain|determine",
    "state|identify|give",
)
_LEADS = (
    re.compile(  # "read the page and tell me"
        rf"^\W*((?:(?:could|can|would)\s+you\s+)?{_LOOK}[^,:;?]*?)\s+(?:and|then)\s+"
        rf"(?:then\s+)?(?:please\s+)?(?={_TELL}\b)", re.IGNORECASE,
    ),
    re.compile(  # "based on the plot, which"
        rf"^\W*((?:{_LOOK}|" + _any(
            "given|based on|according to|as per|using|judging (?:by|from)|in view of|from",
            "in (?:the|this) (?:image|picture|photo|figure|chart|graph|plot|diagram|document)",
            "as an? (?:[^,:;?]* )?(?:expert|analyst|assistant|engineer|tutor|teacher|reader|clerk)",
            "with reference to|as (?:shown|seen|depicted|illustrated)",
        ) + r")\b[^,:;?]*)[,:]\s+", re.IGNORECASE,
    ),
    re.compile(rf"^\W*(given\s+(?:this|the|these)\s+(?:\w+\s+){{1,3}})(?={_WH}\b)", re.IGNORECASE),
)  # fmt: skip
_INDIRECT = re.compile(  # "I need you to tell me who"
    rf"^(?!\W*{_WH}\b)(?=.*?\b(?:you|me|us|i|please|kindly)\b|(?!\W*{_IS}\b))(.*?\b" + _any(
        "tell(?: (?:me|us))?|say|know|knowing|explain|determine|decide|choose|select|count",
        "find out|learn|check|wonder(?:ing)?|state|identify|figure out|describe|report|specify",
        "indicate|curious|ask|understand",
    ) + r"\W+(?:(?:please|briefly|exactly|precisely)\W+)?)"
    rf"(?=(?:(?:in|on|at|by|for|from|to|of|with|under)\s+)?{_WH}\b"
    r"|(?:whether|if)\b)", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_BEHIND = re.compile(
    rf",?\s+({_any('according to|based on|as shown in|as seen in|using only|using nothing but')}"
    r"\s+(?:the|this)(?:\s+\w+)?\s+\w+)(?=\W*$)", re.IGNORECASE,
)  # fmt: skip
_APART = re.compile(r"\d|(?<=\w )[A-Z]|\b[A-Z]{2,}\b")
"""What may tell two questions apart in a clause that says where to look: numbers and names."""
_MEDIA = frozenset(
    """
    about map table pie bar bars stacked line page pages document paper form scan scanned text slide
    poster infographic drawing sketch scene shot app web website site mobile phone ui interface
    book cover receipt letter report statement leaflet menu visual visible given printed written
    provided attached displayed carefully careful closely close thoroughly first common sense task
    question questions answering following few words single briefly reply response answers helpful
    assistant analyst engineer tutor teacher reader clerk ai expert science exam item problem
    geometry math maths physics context information input user take look looking think reason
    wonder learn decide choose check confirm count write down appreciate grateful happy able
    curious homework help study examine inspect analyze analyse observe consider review using
    refer referring judging view see explain options option choices json format digits phrase
    sentence integer nothing but reference respect regard legend results survey data shown
    """.split()
)
"""What a clause may speak of that only says where to look, how to answer or that one asks."""
_ENDS = ".?!:,;。？！\"”'»)]>"
"""Marks that part a sentence from the next."""
_BRIEF = 30
"""Characters of a question mark's sentence that may be no question ("Which is right?")."""
_LEAST = 2
"""Words that say something, which a question without such a clause must have."""
_FRAME = re.compile(
    r"^\W*(?:(?:hello|hi|hey)\W+)?(?:(?:please|kindly)\s+)?"
    r"(?:(?:could|can|would|will|may|might)\s+(?:you|i|we)\b\W*)?"
    rf"(?:{_any('please|kindly|mind|be so kind as to|be able to|help me')}\s+)*"
    rf"(?:{_any('i(?:.d| would) like to|i want to|i(?:.m| am) curious|i(?:.m| am) wondering')}\s+|"
    r"i\s+wonder\W+)?"
    rf"(?:{_any('check|verify|confirm|decide|determine|see|tell me|say')}\s+(?:whether|if|that)\b|"
    rf"{_any('explain|ask|telling me|find out|extract|copy|transcribe|select|write down')}\b"
    r"(?!\s+(?:all|every|each)\b)|(?:retrieve|fetch)\b(?!\s+(?:all|every|each)\b))?\s*",
    re.IGNORECASE,
)  # fmt: skip
"""What is said before a question, or in place of a question mark."""
_QUESTION = re.compile(
    rf"\?[^\w?]*$|^\W*{_ASKS}|"
    rf"\b{_any('check|verify|confirm|decide|determine|tell|say')}\s+(?:whether|if)\b|"
    r"\b(?:(?:tell(?:ing)?|told)\s+me|let\s+me\s+know|(?:like|want)\s+to\s+know|wonder(?:ing)?"
    rf"|curious\W+(?:about|to|as|if|whether|{_WH}))\b|"
    r"^\W*(?:(?:please|kindly)\s+)?" + _any(
        "identify|report|name|give|state|provide|find|extract|copy|list|count|describe|specify",
        "indicate|determine|calculate|compute|estimate|check|confirm|decide|select|transcribe",
        "work out|write down|solve|retrieve|fetch",
    ) + r"\b", re.IGNORECASE,
)  # fmt: skip


@lru_cache(maxsize=1 << 15)
def asked(prompt: str) -> Asked:
    """The question of a prompt, and its options.

    >>> asked("Which town is it? Answer with the option's letter.").text
    'Which town is it?'
    >>> asked("Study the map. Which town? Choices: (A) Ulm (B) Rom").options
    (('A', 'Ulm'), ('B', 'Rom'))
    """
    text = unicodedata.normalize("NFKC", prompt)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, word)
    text = re.sub(r"[ \t]+", " ", _BOLD.sub(r"\1", _field(text)))
    text, options = _without_options(_TAG.sub(" ", text))
    text = _REMARK.sub("", _LETTERS.sub(" ", text))
    parts = [_LABEL.sub("", part).strip() for part in _SENTENCES.split(text)]
    parts = [part for part in parts if re.search(r"[^\W_]", part)]
    core = ""
    if asks := _asking(parts):
        core = _bare(asks[0]) if len(asks) == 1 else ""
        whole = alone(" ".join(asks)) and not all(map(mere_talk, asks))
        judged = any(map(judges, asks))
        kept = [
            _bare(part) if part in asks else part
            for part in parts
            if part in asks or not (_frames(part, judged) or (whole and _talk(part)))
        ]
    else:
        kept = [part for part in parts if not _HOW.search(part) or len(_said(part)) >= _LEAST]
        kept = [part for part in kept if not talks(part)] or kept
    found = " ".join(part if part[-1] in _ENDS else part + ";" for part in kept if part)
    found = found.removesuffix(";")
    return Asked(found if re.search(r"\w", found) else prompt, options, core)


def same_options(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of options, where both have some, may be the same ones."""
    return not one or not other or len(one & other) >= OPTIONS * len(one | other)


def _asking(parts: Iterable[str]) -> list[str]:
    """The sentences that ask something; of several, those that ask for more than an answer."""
    asks = [part for part in parts if _asks(part)]
    return [part for part in asks if not mere_talk(part)] or asks


def _talk(part: str) -> bool:
    """Whether a sentence beside a question that does not need it is talk."""
    return bool(_CAPTION.fullmatch(part) and mere_talk(part)) or talks(part)


def _asks(part: str) -> bool:
    """Whether a sentence asks something."""
    if _HOW.search(part) and not (part.endswith("?") and len(part) > _BRIEF):
        return False
    if _ROLE.search(part) and "?" not in part:
        return False
    return bool(_QUESTION.search(part) or _INDIRECT.match(part))


def _field(text: str) -> str:
    """The question in a prompt that is a JSON object or a list of turns; else the prompt."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        told = _spoken(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return text
    return _TAG.sub(" ", told) or text


def _spoken(told: object) -> str:
    """What a user says last in parsed JSON, or nothing."""
    if isinstance(told, list):
        if told and all(isinstance(one, dict) and one.get("type") == "text" for one in told):
            return " ".join(str(one.get("text", "")) for one in told)
        return next((said for one in reversed(told) if (said := _spoken(one))), "")
    if not isinstance(told, dict):
        return ""
    named = {str(key).lower(): value for key, value in told.items()}
    if named.get("role", named.get("from")) in _OTHERS:
        return ""
    for key in _FIELDS:
        value = named.get(key)
        said = value if isinstance(value, str) else _spoken(value)
        if said.strip():
            return said
    return ""


def _frames(part: str, judged: bool) -> bool:
    """Whether a sentence beside a question says only how to answer, who does, what to look at.

    Beside one that judges what is said, a sentence that speaks of answers may be what it judges.
    """
    if any(rule.search(part) for rule in (_HOW, _FOREIGN, _ROLE)):
        return True
    if _SPEAKS.search(part):
        return not points(part) and not judged
    if _INTRO.search(part):
        return not _APART.search(part)
    return bool(_SCENE.search(part)) and _is_bare(part)


def _said(text: str) -> set[str]:
    """The words of a text that say something; those of templates do not."""
    return {word for word in re.findall(r"[^\W\d_]+", text.casefold())} - EMPTY - _MEDIA


def _is_bare(clause: str) -> bool:
    """Whether nothing in a clause can tell two questions apart."""
    return not _APART.search(clause) and not _said(clause)


def _bare(part: str) -> str:
    """A sentence that asks, without what is around it."""
    part = _TAIL.sub(lambda tail: "" if idle(tail[0]) else tail[0], _AS.sub("", part))
    if before := _COLON.match(part):
        if _FOREIGN.search(before[1]):
            part = part[before.end() :]
        elif _ABOUT.search(before[1]) or talks(before[1]):
            part = _shorter(part, before[1], part[before.end() :])
    for clause in (*_LEADS, _INDIRECT):
        if hit := clause.match(part):
            part = _shorter(part, hit[1], part[hit.end() :])
    if hit := _BEHIND.search(part):
        part = _shorter(part, hit[1], part[: hit.start()] + part[hit.end() :])
    rest = _FRAME.sub("", part, count=1)
    return rest if re.search(r"\w", rest) else part


def _shorter(part: str, clause: str, rest: str) -> str:
    """A sentence without a clause that only says where to look; whole, if it may say more."""
    enough = len(set(re.findall(r"[^\W\d_]+", rest.casefold())) - EMPTY) >= _LEAST
    says_nothing = _is_bare(clause) or (talks(clause) and alone(rest))
    return rest if enough and says_nothing else part


def _without_options(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A prompt without its list of options, and these."""
    for pattern, least in ((_LINE, 2), (_MARK, 2), (_SMALL, 3)):
        marks = _run(pattern.finditer(text))
        if len(marks) >= least:
            rest, options = _cut(text, marks)
            if all(option for _, option in options):
                return rest, options
    if hit := _LISTED.search(text) or _BRACES.search(text):
        listed = next(group for group in hit.groups() if group)
        some = [one.strip(" \"'.") for one in re.split(r"[/;,|]|\bor\b", listed)]
        some = [one for one in some if one]
        if len(some) > 1:
            return text[: hit.start()] + " " + text[hit.end() :], tuple(("", one) for one in some)
    return text, ()


def _run(marks: Iterable[re.Match[str]]) -> list[re.Match[str]]:
    """The marks from the first on that count on from A, a or 1, one after the other."""
    found: list[re.Match[str]] = []
    for mark in marks:
        label = _label(mark)
        if label in ("A", "1") and len(found) < 2:
            found = [mark]
        elif found and ord(label) == ord(_label(found[-1])) + 1:
            found.append(mark)
    return found


def _label(mark: re.Match[str]) -> str:
    return next(group for group in mark.groups() if group).upper()


def _cut(text: str, marks: list[re.Match[str]]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A text without the options behind these marks."""
    end = _END.search(text, marks[-1].end())
    stops = [mark.start() for mark in marks[1:]] + [end.start() if end else len(text)]
    options = tuple(
        (_label(mark), text[mark.end() : stop].strip(" \t\n.;,]"))
        for mark, stop in zip(marks, stops, strict=True)
    )
    before = _OFFERED.sub("", text[: marks[0].start()])
    return f"{before}\n{text[stops[-1] :].lstrip(' .?!')}", options
