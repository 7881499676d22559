"""The words that questions are made of: what carries nothing, what is one thing, what decides.

Written by hand for questions about charts, documents, screens and photos. Names of concepts start
with `>` where a word decides what is asked (the most, left, minus, not: both questions must have
it) and with `@` where it hardly counts by itself. Leaves out on purpose: other languages.
"""

import re

PHRASES = tuple(
    (re.compile(pattern, re.IGNORECASE), other)
    for pattern, other in (
        (r"(?<!or )\bno\.\s+(?=\S)", " number "), (r"\bor not\b", " "),
        (r"\b(?:under|in) (?=(?:what|which)\b)", " "), (r"\babout to\b", " "),
        (r"\bfor (?:what|which) reason\b", " why "), (r"\bget hold of\b", " catch "),
        (r"\b((?:what|which)(?: \w+)?) (?:is|are|was|were) (?:written|printed)\b(?! by)", r"\1 "),
        (r"\bhand(?:ed|ing|s)? in\b", " submit "),
        (
            r"\b(?:last|latest|final|due) (?:date|day) (?:for|to)\b|\bby when\b"
            r"|\buntil (?:when|(?:what|which) (?:date|day))\b", " deadline ",
        ),
        (r"\b(do|does|did)\b(.*)\bmean\b", r"\1\2 represent "), (r"\bmeaning of\b", " represent "),
        (r"\bmeant by\b", " represent "), (r"\bmeant\b", " intended "),
        (r"\bmiddle value\b", " median "),
        (r"\b(when|year|month|date)\b(.*\b(?:do|does|did)\b[^,]*)(?<!the )\bfirst\b", r"\1\2"),
        (  # who chases the dog, and whom the dog chases
            r"^((?:\w+ ){1,3}(?:is|are|was|were) \w+ing (?:the|an?|his|her|their) )",
            r"\1 doerword ",
        ), (
            r"^((?:\w+ ){1,3}(?:is|are|was|were) (?:the|an?|his|her|their) (?:\w+ )+"
            r"(?!doing)\w+ing\W*)$", r"\1 doneword ",
        ),
        (r"\b(?:is|are|was|were)\b([^,]*)(?<!the )\bfollowing\b", r"\1 behind "),
        (
            r"\b(?:which|what) (?:company|firm|manufacturer|maker)"
            r" (?:made|makes|produced|produces|built)\b|\bwhat make\b", " brand ",
        ),
        (r"\bby (?:how much|what amount)\b", " howmuch "), (
            r"\b((?:tele)?phone|fax|account|invoice|serial|model|order|flight|room|house|page"
            r"|reference|licen[cs]e|registration|jersey|bus|case) number\b", r"\1 numberword ",
        ), (r"\bnumber of\b", " howmany "), (r"\bratio of ([^,?]+?) to ", r" \1 ratio "),
        (r"\bthe name (?=(?:of|on|in)\b)", " nameword "), (r"\bnumber\b", " numberword "),
        (r"\bfrom (?=(?:which|what|whom)\b)|\bfrom(?=\?|$)", " fromword "),
        (r"\bto (?=(?:which|what|whom)\b)|\bto(?=\?|$)", " toword "),
        (r"\be-mail", "email"), (r"\bworks? out\b", " "), (r"\bworked out\b", " "),
        (r"\b(stand|stands|stood) for\b", " represent "), (r"\bon foot\b", " walk "),
        (r"\bright (?=(?:after|before|below|above|behind|next|under)\b)", " "),
        (r"\bat the moment\b|\bright now\b", " currently "),
        (r"\bnext to\b", " beside "), (r"\bclose to\b", " beside "),
        (r"\b(at|by) the side of\b", " beside "), (r"\bin front of\b", " front "),
        (r"\bin (total|all|sum)\b", " total "), (r"\bfor the (first|last) time\b", r" \1 "),
        (r"\bon top of\b", " on "), (r"\bper ?cent\b|%", " percent "),
        (r"\bat (most|least)\b", r" \1 "), (r"n't\b", " not "), (r"\bcannot\b", " can not "),
        (r"\bit is (possible|true)\b", " "), (r"\bover the\b", " during the "),
        (r"\bhow old\b", " age "), (r"\bback in\b", " "),
        (r"\bhow much (?=(?:is|are|was|were|do|does|did|has|have|will|money)\b)", " howmuch "),
        (
            r"^\s*(?:referring to|based on|looking at|judging by|from|using|given|in|on)"
            r" (?:the|this) (?:\w+ )?"
            r"(?:table|data|chart|graph|plot|figure|image|picture|photo|document|page|text)"
            r"\b[^,\d]*,", " ",
        ),
        (
            r"\bthe (?:city|town|village|country|state|region|year|month|company) (?:of |named )?"
            r"(?=(?-i:[A-Z0-9]))", " ",
        ), (r"\bhow many\b", " howmany "),
        (r"\bover\b(?!\s*(?:\w+\s+)?\d)", " "),
        (r"\bas well as\b", " and "), (r"\b(?:according to|as per|turns? out)\b", " "),
        (r"\b(?:made|built) (?:of|from)\b", " material "), (r"\bq([1-4])\b", r" \1 quarter "),
        (r"^\s*compared (?:with|to) ([^,]+),(.*?)\??$", r"\2 \1"),
    )
)  # fmt: skip
"""Turns of phrase, and what they are read as."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EMPTY = _words(
    """
    a an the this that these those it its is are was were be been being am do does did done
    doing has have had having of in on at to for from by with within as and or if then so there
    here into onto upon during throughout along among amid until since towards toward between i
    you we he she they me us my our your their his her him them what which who whom whose how
    whether why much many can could would will shall should may might must please kindly tell
    give given say said state name named write find found determine identify report read see view
    seen visible show shown display displayed depict illustrate present contain appear list listed
    indicate mention mentioned according based base use provide following image picture photo
    photograph figure chart graph plot diagram screenshot screen illustration value number count
    answer question respond reply specify directly just only exactly word short phrase also let know
    want need like regarding concerning s t re ll ve d m out calculate compute estimate off up
    get obtain come make turn equal refer ask data scene ever every each any some such all kind
    type sort form level different stand lie lay set carry hold take keep go reach record
    register represent drawn plot denote correspond belong include consist constitute size case
    possible able really actually seem activity action perform engage occur happen locate
    situate position exist observe notice call one describe try
    """
)
"""Carry nothing; forms of them neither."""
SLIGHT = _words(
    """
    person people thing object piece unit point table text page document working mark entry
    reader area part place somebody someone issue park serve hand lot sit rest put item
    detail money devote grant choose select pick regard participant period sheet
    amount individual measure around condition respondent survey interview poll
    """
)
"""Carry little: of two questions one may have them."""
PARTS = _words("bar line slice column wedge segment curve legend axis series row box field")
"""What charts and forms are made of: one question may leave it out, but no two are the same."""
PLACES = _words(
    """
    city town village country state region street room house building road square hall office
    island continent nation land side venue address platform station seat
    """
)

_CONCEPTS = {
    ">max": "maximum maximal max peak top upmost best most",
    ">min": "least minimum minimal min fewest worst",
    ">gt": "more exceed above over greater better overtake outnumber outsell surpass outperform",
    ">lt": "less fewer below under beneath worse",
    ">sum": "total sum together altogether add overall combine",
    ">diff": "difference subtract minus apart differ gap", ">mean": "average mean",
    ">median": "median",
    ">ratio": "ratio divide", "@per": "per",
    ">percent": "percent percentage share proportion fraction",
    ">first": "first earliest initial initially", ">last": "last latest final finally",
    ">before": "before precede", ">after": "after", ">left": "left leftmost",
    ">right": "right rightmost",
    ">behind": "behind", ">front": "front", ">beside": "beside next alongside near",
    ">up": "increase grow growth", ">down": "decrease decline shrink reduction",
    ">than": "than", ">not": "not no never without except excluding excludes excluded",
    "@time": "when time moment", "@day": "day date", "@month": "month", "@year": "year",
    "@hour": "hour",
    "@place": "where place location located site spot", "@topic": "about topic subject theme",
    "@howmuch": "howmuch", "@howmany": "howmany quantity", "@number": "numberword",
    "@name": "nameword", "@who": "who whom whose", "@why": "why",
    "@all": "all every everybody everyone", "@any": "any anyone anybody some someone somebody",
    "@sit": "sitting seated sit sits sat", "@stand": "standing stand stands stood",
    "@lie": "lying", "@kneel": "kneeling",
    "@from": "fromword", "@to": "toword", "@doer": "doerword", "@done": "doneword",
    "@each": "unit single", "@whole": "whole entire", "@milligram": "milligram mg",
    "@gram": "gram", "@kilogram": "kilogram kg", "@metre": "metre meter",
    "@kilometre": "kilometre kilometer km", "@mile": "mile", "@dollar": "dollar",
    "@euro": "euro", "@pound": "pound",
    "age": "old age young", "height": "tall height", "length": "long length",
    "speed": "fast speed quick slow", "weight": "heavy weight weigh",
    "temperature": "warm hot cold cool temperature", "distance": "far distance",
    "colour": "colour color", "price": "price cost pay expensive cheap dear",
    "birth": "born birth birthplace", "food": "food dish meal", "child": "child kid",
    "woman": "woman women lady female", "man": "man guy male",
    "bag": "bag sack", "vertical": "vertical y",
    "horizontal": "horizontal x", "spend": "spend spent spending expenditure expense",
    "emission": "emission emit", "use": "use consumption consume usage",
    "staff": "staff employee workforce personnel", "depart": "depart leave departure",
    "expire": "expire expiry valid validity", "watch": "watch look", "begin": "begin start",
    "end": "end finish", "television": "television tv", "hang": "hang suspend",
    "deadline": "deadline due", "brand": "brand manufacturer", "street": "street road",
    "flight": "flight plane airplane aeroplane aircraft", "sun": "sun sunny", "rain": "rain rainy",
    "cloud": "cloud cloudy", "snow": "snow snowy", "late": "late overdue",
    "truck": "truck lorry", "unemployed": "unemployed unemployment jobless joblessness",
    "buy": "buy bought purchase", "client": "client customer",
    "glasses": "glasses spectacles eyeglasses",
    "income": "income earn earning wage salary", "recipient": "recipient addressee addressed",
    "population": "population inhabitant inhabitants live lived lives resident residents",
    "cross": "cross intersect meet", "author": "author write wrote written writer",
    "phone": "phone telephone mobile", "picture": "picture image photo photograph",
}  # fmt: skip
CONCEPTS = {
    word: name for name, some in _CONCEPTS.items() for word in some.split() if name != "picture"
}
"""Words by what they stand for."""
ALSO = {
    "fall": ">down", "drop": ">down", "rise": ">up", "climb": ">up", "gain": ">up",
    "back": ">behind", "follow": ">after",
}  # fmt: skip
"""Words that may stand for it, and by themselves are ordinary."""
RELATIVE = _words("who whom whose")
"""Ask for somebody only where a question starts with them, or with a preposition before."""
HOLDS = {
    whole: _words(parts)
    for whole, parts in {
        "vehicle": "car truck bus van taxi motorcycle motorbike bike bicycle train tractor cab",
        "animal": "dog cat horse cow bird sheep goat elephant giraffe zebra bear lion monkey duck",
        "creature": "dog cat horse cow bird sheep goat elephant giraffe zebra bear animal",
        "device": "phone laptop computer tablet camera television remote",
        "computer": "laptop notebook pc",
    }.items()
}  # fmt: skip
"""Words for many things, which WordNet has several steps above these."""
SILENT = _words("@from @to @doer @done @number @name @who @why @all @any @sit @stand @lie @kneel")
"""What says nothing where both have it, and contradicts where they differ."""
TIMES = _words("@day @month @year @hour")
"""What may answer "when"."""
EXCLUSIVE = tuple(
    frozenset(some.split())
    for some in (
        "@number @time @place @name @why", "@number @howmany", "@who @number @time @place @howmany",
        "@place @howmany", "@day @month @year @hour", "@all @any", "@from @to", "@doer @done",
        "@sit @stand @lie @kneel", "colour material shape",
        "@each @whole >sum >mean", "@milligram @gram @kilogram @pound", "@metre @kilometre @mile",
        "@dollar @euro @pound",
    )
)  # fmt: skip
"""Two questions that name different ones of a row, and none in common, are two."""
BESIDES = frozenset(
    {(">behind", ">after"), (">front", ">before"), (">right", ">last"), (">left", ">first")}
)
"""Of a place and of an order."""
MAY_LACK = frozenset({">sum", ">percent", ">than"})
"""What one of two questions may leave unsaid."""
ORDERING = frozenset(">gt >lt >before >after >left >right >behind >front >ratio >diff".split())
"""What stands before and behind one of these must not be exchanged."""
LITTLE = _words(
    "low small short cold cool slow cheap young light few little tiny near early narrow"
)
"""Adjectives whose superlative asks for the least."""
BARE = _words("high large great big low small few little tiny good bad")
"""Adjectives that say nothing beside their degree."""
NUMBERS = {
    name: str(at)
    for at, name in enumerate(
        "zero - two three four five six seven eight nine ten eleven twelve".split()
    )
} | {"second": "2", "third": "3", "fourth": "4", "fifth": "5", "both": "2", "twice": "2"}
COUNTING = _words("is only exactly just least most than")
"""Behind one of these, "one" is a number and not a word for a thing."""
