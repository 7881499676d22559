r"""Texts that were escaped once too often: `\n`, `\"`, `\u00e9`, `&lt;`, `&amp;amp;`.

A text that is a JSON string's inside as a whole is read as one. Else single marks are undone, and
only those that cannot be LaTeX, a path, or a character that the text is about. Texts about code or
HTML keep theirs.
"""

import html
import json
import re

from pellucid.data.repair.base import Doubt, Facts, Operator, Result, Row
from pellucid.data.repair.places import map_texts, role, texts, turns

_LATEX_N = frozenset(
    "n ne neq neg nu nabla not notin ni nmid nleq ngeq nless ngtr nolimits newline newcommand "
    "newpage nonumber normalsize normal normalfont nparallel nsim ncong nsubseteq nsupseteq "
    "nexists natural nearrow nwarrow noindent num node nprec nsucc nrightarrow nleftarrow "
    "nLeftarrow nRightarrow nvdash nvDash ntriangleleft ntriangleright nleqslant ngeqslant norm "
    "newtheorem nobreak nonumber nshortmid nshortparallel nlhd nrhd nicefrac negthinspace "
    "negmedspace naturals nolinebreak".split()
)
"""Commands that begin like a line break."""
_LATEX_T = re.compile(
    r"(?<!\\)\\t(?:ext|imes|heta|au\b|o\b|op\b|an|ri|ilde|frac|herefore|hick|iny|hinspace|ag\b|abular|woheadr|f\b|t\b)"
)
_LATEX = re.compile(r"(?<!\\)\\(?:[A-Za-mo-su-z][A-Za-z]|[()\[\]{}%$&#_,;!|])")
_BREAK = re.compile(r"(?<!\\)\\n([A-Za-z]*)")
_QUOTE = re.compile(r'(?<!\\)\\"')
_UNICODE = re.compile(r"(?<!\\)(?:\\u[0-9a-fA-F]{4})+")
_DOUBLED = re.compile(r"\\\\(?:[A-Za-z]{2}|[(){}\[\]])")
_CODE = re.compile(
    r"`|\bprintf?\(|\bregex|\bregular expression|\bescape (?:sequence|character)|\bstring literal"
    r"|\bnewline|\bline ?break"
    r"|\bbackslash|#include|\bdef \w+\(|\\[wdsS][+*]",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\(?!u[0-9a-f]{4})[\w.-]+\\[\w.-]")
_ENTITY = re.compile(r"&(?:#[0-9]{2,6}|#[xX][0-9a-fA-F]{2,5}|[A-Za-z][A-Za-z0-9]{1,24});")
_ABOUT_HTML = re.compile(
    r"\b(?:x?html5?|xml|svg|css|entit(?:y|ies)|markup|web ?page source|dom|urls?|encod(?:e|ed|ing)"
    r"|escap(?:ed|ing))\b",
    re.IGNORECASE,
)
_ELEMENT = re.compile(
    r"</?(?!image\b|think\b|nothink\b|answer\b)[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>"
)
_UNSEEN = dict.fromkeys(map(ord, "\u200c\u200d\u200e\u200f\u00a0\u202f\u3000"))
"""Signs that do not show and that texts need: joiners, directions, spaces."""
_MANY = 3
"""Line breaks from which on a text is one of several lines, and not one about a mark."""
_MOST = 4
"""How often a text may have been escaped."""


def escapes(row: Row, facts: Facts) -> Result:
    """Undo escapes that a program wrote into the text."""
    if not any("\\" in text for _, text in texts(row)):
        return Result(row)
    code = _about(row, _CODE) or _about(row, _PATH)
    return map_texts(row, lambda text: _unescaped(text) if not code or _sure(text) else text)


def _sure(text: str) -> bool:
    """Whether a text about code is escaped all the same: as a whole, and with several breaks."""
    if _document(text) is not None:
        return True
    breaks = len(_BREAK.findall(text))
    one_line = "\n" not in text.replace("<image>\n", "")
    several = (breaks >= _MANY and one_line) or (breaks > 1 and _whole(text) is not None)
    return several and not _PATH.search(text)


def _about(row: Row, mark: re.Pattern[str]) -> bool:
    return any(mark.search(turn["value"]) for turn in turns(row))


def _unescaped(text: str) -> str:
    for _ in range(_MOST):
        new = _once(text)
        if new == text:
            break
        text = new
    return text


def _once(text: str) -> str:
    if "\\" not in text:
        return text
    inside = _document(text) or _whole(text)
    if inside is not None:
        return inside
    text = text.replace("<\\/", "</").replace(":\\/\\/", "://")
    text = _UNICODE.sub(_letters, text)
    if "\n" not in text.replace("<image>\n", ""):
        text = _breaks(text)
    quotes = len(_QUOTE.findall(text))
    if quotes and quotes % 2 == 0 and quotes == text.count('"') and not _umlaut(text):
        text = text.replace('\\"', '"')
    return text


def _document(text: str) -> str | None:
    """The JSON list or object that this is the escaped text of."""
    if text.startswith("<nothink>"):
        inner = _document(text.removeprefix("<nothink>"))
        return None if inner is None else f"<nothink>{inner}"
    if text.lstrip()[:1] not in ("[", "{") or '\\"' not in text:
        return None
    try:
        json.loads(text)
    except ValueError:
        try:
            inside: str = json.loads(f'"{text}"')
            json.loads(inside)
            inside.encode("utf-8")
        except (ValueError, RecursionError):
            return None
        return inside
    except RecursionError:
        return None
    return None


def _whole(text: str) -> str | None:
    """The text that this is the JSON of, where every mark in it says so."""
    if "\n" in text or "\t" in text or re.search(r'(?<!\\)(?:\\\\)*"', text):
        return None
    breaks = list(_BREAK.finditer(text))
    if len(breaks) < _MANY and any(_quoted(text, found.start()) for found in breaks):
        return None
    # Single commands of LaTeX would have been doubled with everything else.
    if _LATEX_T.search(text) or re.search(r"(?<!\\)(?:\\\\)*\\[bfr][A-Za-z]", text):
        return None
    if not _strong(text):
        return None
    try:
        inside = json.loads(f'"{text}"')
    except ValueError:
        return None
    try:
        inside.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return inside if isinstance(inside, str) else None


def _strong(text: str) -> bool:
    """Whether some mark in the text can be nothing but an escape."""
    if _DOUBLED.search(text) and not re.search(r"(?<!\\)\\(?![\\nt\"/u])", text):
        singles = [found[1] for found in _BREAK.finditer(text)]
        return not any(f"n{word}" in _LATEX_N and word for word in singles)
    if _LATEX.search(text):
        return False
    return any(True for found in _BREAK.finditer(text) if not _is_latex(found)) or bool(
        _UNICODE.search(text)
    )


def _is_latex(found: re.Match[str]) -> bool:
    return bool(found[1]) and f"n{found[1]}" in _LATEX_N


def _breaks(text: str) -> str:
    r"""`\n` as line breaks, where none of them can be a command's beginning or a quoted mark."""
    found = list(_BREAK.finditer(text))
    plain = [one for one in found if not _is_latex(one)]
    sure = [one for one in plain if not _quoted(text, one.start())]
    if not sure:
        return text
    # Beside others that are breaks for certain, one beside a quote is the end of a quoted cell.
    sure = plain if len(plain) >= _MANY else sure
    places = {one.start() for one in sure}
    text = "".join(
        "\n" if index in places else "" if index - 1 in places else letter
        for index, letter in enumerate(text)
    )
    if _LATEX_T.search(text) or "\\t" not in text:
        return text
    return re.sub(r"(?<!\\)\\t(?![A-Za-z])", "\t", text)


def _quoted(text: str, index: int) -> bool:
    """Whether a mark stands in quotes or beside them: then the text is about it."""
    around = text[max(index - 1, 0) : index] + text[index + 2 : index + 3]
    if text[max(index - 3, 0) : index] == "```" or text[index + 2 : index + 5] == "```":
        return False
    return any(letter in "'\"`‘’“”" for letter in around) and "\\" not in around


def _umlaut(text: str) -> bool:
    r"""Whether a `\"` is LaTeX's two dots."""
    return re.search(
        r'\\"(?:\{|\\[ij]|[aeiouyAEIOU](?=[a-z]))', text
    ) is not None and not re.search(r'(?:^|[\s(\[:=])\\"', text)


def _letters(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[0]}"')
    whole = not any(0xD800 <= ord(letter) < 0xE000 for letter in letters)
    shown = letters.translate(_UNSEEN)
    return letters if whole and shown.isprintable() else found[0]


def entities(row: Row, facts: Facts) -> Result:
    """Undo HTML's names for characters, in rows that are not about HTML."""
    if not any("&" in text and _ENTITY.search(text) for _, text in texts(row)):
        return Result(row)
    if _about(row, _ABOUT_HTML) or any(_ELEMENT.search(turn["value"]) for turn in turns(row)):
        return Result(row)
    result = map_texts(row, _plain)
    if any(role(turn) and _ELEMENT.search(turn["value"]) for turn in turns(result.row)):
        return Result(row, (), (Doubt("holds HTML behind entities", "conversations"),))
    return result


def _plain(text: str) -> str:
    for _ in range(_MOST):
        new = _ENTITY.sub(_character, text)
        if new == text:
            break
        text = new
    return text


def _character(found: re.Match[str]) -> str:
    character = html.unescape(found[0])
    if character == "\u00a0":
        return " "
    return character if character.isprintable() or character in "\n\t" else found[0]


DOUBLE_ESCAPES = Operator(
    "double_escapes", 1, "mend", r"escapes as text (\n, \", \u00e9); never LaTeX", escapes
)
HTML_ENTITIES = Operator(
    "html_entities", 1, "mend", "&lt; &amp; &#39; in rows that are not about HTML", entities
)
