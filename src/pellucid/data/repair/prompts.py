"""Prompts with far more wrapping than question.

A sentence is wrapping when it speaks to the model about itself or about care and attention and says
nothing of the picture. It goes where at least two such sentences outweigh the question that is
left. What tells the form of the answer stays.
"""

import re

from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.places import TAG, at, role, turns, with_texts

_PIECE = re.compile(r"[^.!?。！？\n]*(?:[.!?。！？]+[\"”')]*|\n+|$)\s*")
_WRAPPING = re.compile(
    r"""^(?:
    you\ (?:are|act|will\ act)\ (?:now\ )?(?:as\ )?(?:an?|the)\b.*\b(?:assistant|expert|ai
        |model|analyst
        |specialist|professional|agent|mathematician|scientist|teacher|tutor|system|engineer)\b
    | (?:act|behave|imagine\ you\ are|pretend\ (?:that\ )?you\ are
        |as)\ (?:as\ )?an?\b.{0,60}\b(?:assistant|expert|ai
        |model|analyst|specialist|professional)\b
    | you\ (?:have|possess)\ (?:been|extensive|deep|years|a\ deep|exceptional|excellent|world).*
    | your\ (?:task|job|goal|mission|role|objective)\ is\ to\ (?:carefully\ |thoroughly\ |help
        |assist|provide|analy[sz]e
        |answer|examine|look|study|give|respond|be\ ).*
    | (?:please\ |first,?\ |then,?\ |now,?\ |next,?\ |always\ |kindly\ |and\ )*(?:very\ |most\ )?
      (?:carefully|closely|thoroughly|meticulously|attentively|slowly)\b.*
    | (?:please\ |first,?\ |then,?\ |now,?\ |kindly\ |be\ sure\ to\ |make\ sure\ (?:to
        |that\ you)\ )*
      (?:analy[sz]e|examine|study|look\ at|inspect|observe|review|consider|read|think|reason
          |reflect)\b
      .*\b(?:carefully|closely|thoroughly|step[\ -]by[\ -]step|in\ (?:great\ )?detail
          |every\ detail|all\ details
        |attentively|deeply|before\ (?:you\ )?answer(?:ing)?)\b.*
    | (?:let's\ |please\ )?think\ step\ by\ step.*
    | take\ a\ deep\ breath.* | take\ your\ time.*
    | pay\ (?:close|careful|special|extra|particular)\ attention.*
    | (?:please\ )?(?:be|remain|stay)\ (?:as\ )?(?:very\ |extremely\ )?(?:accurate|precise
        |thorough|careful|helpful
        |concise|honest|objective|polite|detailed)\b.*
    | (?:please\ )?(?:do\ not|don't|never|avoid)
      \ (?:hallucinat|guess|make\ (?:anything\ |things\ )?up|invent|speculat)\w*.*
    | (?:please\ )?(?:make\ sure|ensure|be\ sure)\b.*\b(?:accurate|correct|precise|accuracy
        |helpful|thorough|complete
        |double[\ -]?check)\w*.*
    | (?:please\ )?double[\ -]?check\b.* | (?:please\ )?verify\ your\b.*
    | (?:please\ )?use\ (?:all\ (?:of\ )?)?your\ (?:knowledge|expertise|skills|abilities
        |best\ judg).*
    | (?:this|it)\ is\ (?:very|extremely|really|absolutely|of\ (?:the\ )?utmost)\ (?:important
        |critical|crucial|importance).*
    | (?:accuracy|precision)\ is\ (?:very\ |extremely\ |absolutely\ |of\ )?(?:important
        |critical|crucial|essential|key|paramount|the\ ).*
    | i\ (?:will|'ll)\ (?:tip|reward|pay)\ you.* | (?:many|several|\d+)\ people\ depend.*
        | my\ (?:career|job)\ depends.*
    | (?:please\ )?(?:provide|give)\ (?:me\ )?(?:a|an|the|your)\ (?:most\ |very\ )?(?:accurate
        |comprehensive|thorough|detailed
        |well[\ -]reasoned|helpful|best|correct|precise|clear)\b.{0,60}\b(?:answer|response
            |reply)\b.*
    | (?:remember|note|keep\ in\ mind)\b.*\b(?:accura|careful|important|attention|expert
        |quality|precise)\w*.*
    | (?:thank\ you|thanks)\b.* | (?:please\ )?(?:help|assist)\ me\ with.*(?:question|request
        |task|image|picture).*
    | (?:please\ )?(?:kindly\ )?(?:answer|respond\ to|address|consider)\ (?:the|this
        |my)\ (?:following\ |user's\ )?
      (?:question|query|request)\b.*
    | (?:here|below)\ (?:is|you\ (?:will\ )?find)\b.*\b(?:question|query|image|task)\b.*
    | i\ (?:would|want|need|am\ going\ to)\b.*\b(?:question|assist\w*|help)\b.*
    | (?:hello|hi|greetings|dear)\b.{0,40}
    | act\ as\ an?\b.* | failure\ to\b.* | (?:please\ )?remember:?\ .*
    | you\ (?:will|may|might)\ be\ (?:penali[sz]ed|punished|fined|fired
        |terminated|rewarded|tipped)\b.*
    | you\ must\ (?:not|never)\ (?:hallucinate|guess|make\ mistakes|fail|invent)\b.*
    | this\ is\ (?:very\ |extremely\ |really\ )?(?:important|critical|crucial)\b.*
    | (?:do\ not|don't|never)\ include\ (?:any\ )?(?:explanation|apolog|note
        |disclaimer|extra|comment)\w*.*
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_LABEL = re.compile(
    r"^(?:now,? |then,? |finally,? )?(?:please )?(?:answer|consider|respond to|address) "
    r"(?:the|this|my) (?:following |user's )?(?:question|query|request)(?: about[^.:?]{0,40})?"
    r"\s*[:：]\s*"
    r"|^(?:(?:here is |now,? (?:here is )?)?(?:the|my|your) )?"
    r"(?:actual |user'?s? |following )?(?:question|query|task)(?: is)?\s*[:：-]\s*",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"\b(?:letter|single|one word|phrase|option|format|json|boxed|number only|yes or no|box"
    r"|coordinates)\b|[<\[{]",
    re.IGNORECASE,
)
_CARE = re.compile(
    r"\bstep[ -]by[ -]step\b|\b(?:very |extremely )?carefully\b|\bin (?:great|full|close) detail\b"
    r"|\bdeep breath\b|\bhallucinat|\bAI (?:assistant|model|system|language model)\b"
    r"|\byour (?:final )?(?:answer|response|reply|reasoning) "
    r"(?:must|should|needs to|has to|will)\b"
    r"|\bto the best of your\b|\bworld[ -]class\b"
    r"|\bhighly (?:skilled|intelligent|capable|trained)\b"
    r"|\b(?:of the )?utmost\b|\bpay(?:ing)? .{0,20}attention\b|\bthorough(?:ly)?\b|\bmeticulous"
    r"|\b(?:crucial|critical|very important|essential)\b|\bdouble[ -]?check|\bcomprehensive\b"
    r"|\bvisual (?:information|evidence|details|cues|elements)\b|\byears of experience\b",
    re.IGNORECASE,
)
_CHARGED = re.compile(
    r"\b(?:important|critical|crucial|matters?) (?:to|for) my (?:career|job|boss|life)\b"
    r"|\bi(?:['’]ll| will) (?:tip|pay|reward) you\b"
    r"|\bbe (?:penali[sz]ed|punished|fired|terminated)\b"
    r"|\bmust (?:not|never) hallucinate\b|\btake a deep breath\b|\bworld[- ]class\b"
    r"|\bfailure to (?:comply|follow)\b|\bresult in (?:termination|penalt)"
    r"|\bact as an? (?:senior|expert|world|professional)|\b100 ?% (?:correct|accurate|sure)\b",
    re.IGNORECASE,
)
"""Flattery, threats and promises, which no question needs."""
_WORTH = 80
"""Letters of wrapping below which a prompt is no burden."""
_LEAST = 2
"""Sentences of wrapping below which a prompt is a polite one and stays."""
_LONG = 300
"""Letters of a prompt from which on wrapping that cannot be taken off is flagged."""


def unwrapped(row: Row, facts: Facts) -> Result:
    """Take the wrapping off users' questions."""
    new, doubts = {}, []
    for index, turn in enumerate(turns(row)):
        if role(turn) != "user":
            continue
        text, pieces = _core(turn["value"])
        if text is not None:
            new[index] = text
        elif pieces >= _LEAST and (len(turn["value"]) >= _LONG or _CHARGED.search(turn["value"])):
            doubts.append(Doubt("a long prompt of which much is wrapping", at(index)))
    result = with_texts(row, new) if new else Result(row)
    return Result(result.row, result.edits, tuple(doubts))


def _core(text: str) -> tuple[str | None, int]:
    """The question without its wrapping, or None where it stays; and how much wrapping there is."""
    lead = re.match(rf"\s*(?:{TAG}\s*)*", text)
    start = lead.end() if lead else 0
    body = text[start:]
    pieces = _pieces(body)
    wrapping = [_is_wrapping(piece) for piece in pieces]
    count = sum(1 for piece, one in zip(pieces, wrapping, strict=True) if one and piece.strip())
    first = next((n for n, one in enumerate(wrapping) if not one), len(pieces))
    last = next((n for n in range(len(pieces), 0, -1) if not wrapping[n - 1]), 0)
    labelled = [n for n, piece in enumerate(pieces) if n >= first and _LABEL.match(piece.strip())]
    if labelled and sum(wrapping[: labelled[0]]) >= _LEAST:
        # What stands between the wrapping and the label is wrapping by other words.
        first = labelled[0]
    question = _LABEL.sub("", "".join(pieces[first:last]).strip())
    dropped = len(body.strip()) - len(question)
    if count < _LEAST or not question or dropped < max(len(question), _WORTH) or TAG in body:
        return None, count
    if any(wrapping[first:last]):
        return None, count
    return text[:start] + question, count


def _pieces(text: str) -> list[str]:
    """The sentences and lines of a text; joined they are the text."""
    pieces = [found[0] for found in _PIECE.finditer(text) if found[0]]
    return pieces if "".join(pieces) == text else [text]


def _is_wrapping(piece: str) -> bool:
    said = piece.strip()
    if not said:
        return True
    # A question is never wrapping, nor what tells the form of its answer.
    if said.rstrip("\"”')").endswith(("?", "？")) or _FORM.search(said) or _LABEL.match(said):
        return False
    plain = said.strip(" \n*#-").rstrip(".!:。")
    return _WRAPPING.match(plain) is not None or _CARE.search(plain) is not None


WRAPPED_PROMPTS = Operator(
    "wrapped_prompts", 1, "mend", "a short question in a long boilerplate prompt", unwrapped
)
