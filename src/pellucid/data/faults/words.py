"""Words and sentences that clean rows are written with; all made by us, free to use (CC0).

Leaves out on purpose: any sentence of a real set.
"""

THINGS = tuple(
    "apples dogs boats kites chairs cups lamps birds bottles bicycles windows trees buttons coins "
    "books stars triangles circles arrows trucks umbrellas spoons keys clocks pencils flags".split()
)
COLOURS = tuple("red blue green yellow orange purple brown black white grey pink teal".split())
CITIES = tuple(
    "Oslo Lima Kyoto Quito Accra Porto Turin Delft Malmö Zürich Bogotá Kraków Tunis Perth".split()
)
PRODUCTS = tuple(
    "tea rice steel cotton paper copper salt glass wool honey timber coal soap flour".split()
)
UNITS = ("kg", "t", "m", "km", "cm", "%", "litres", "hours")
SHOTS = ("picture", "image", "photo", "chart", "figure", "screenshot", "diagram")
ELEMENTS = (
    "the search field", "the button 'Save'", "the link 'Terms & Conditions'", "the menu icon",
    "the entry 'Competing Interests'", "the close button", "the price tag", "the left headlight",
    "the street sign", "the second row of the table", "the legend", "the slider below the title",
)  # fmt: skip
SYSTEM = (
    "You are a helpful assistant.",
    "You answer questions about pictures.",
    "Answer briefly. If the picture does not show it, say so.",
    "You read charts and tables. Give numbers with their unit.",
)
LOOKS = (
    "on a wooden table", "in front of a brick wall", "beside a narrow canal", "under a grey sky",
    "at the edge of a field", "next to a parked van", "behind a low fence", "in bright sunlight",
)  # fmt: skip
DETAILS = (
    "The light falls from the left and leaves soft shadows.",
    "In the background, two people walk away from the camera.",
    'A hand-written sign reads "Sorry, we are closed."',
    "The colours are muted, and the paint has begun to peel.",
    'A small label in the corner says "N° 7 - don\'t touch".',
    "Nothing else is in focus.",
    "Most of the frame is empty, which draws the eye to the middle.",
    "It looks like early morning: the ground is still wet.",
)
READ = (
    "<table><tr><th>Item</th><th>Price</th></tr><tr><td>{thing}</td><td>{a}.50</td></tr></table>",
    "| item | count |\n| --- | --- |\n| {thing} | {a} |\n| sum | {b} |",
    "$$\\frac{{{a}}}{{{b}}} \\neq \\sqrt{{x^2 + y^2}}, \\quad \\nu \\times \\text{{const}}$$",
    "\\begin{{aligned}} x &= {a} \\\\ y &= {b} \\end{{aligned}}",
    'for i in range({a}):\n    print("{thing}\\n", i < {b} and i > 0)',
    "C:\\new\\table\\{thing}_{a}.txt",
    'if (a < {a} && b > {b}) {{ return "{thing}"; }}',
    "INVOICE {a}\nSmith & Sons Ltd\n{thing}\t{b}\nTotal: {b}.00 EUR\nN/A",
    '<p class="x">{thing} &amp; more: &lt;{a}&gt;</p>',
    "^\\d{{{a}}}-[a-z]+\\.{thing}$",
)
"""What a page says, word for word: markup, mathematics, code, paths and tables."""
FOREIGN = (
    ("Quelle est la couleur de la voiture garée près du café ?", "Elle est {fr}."),
    ("Où se trouve la fenêtre ouverte sur l'image ?", "À gauche, au-dessus de l'entrée n° {n}."),
    ("Wie viele Äpfel liegen auf dem Tisch?", "Auf dem Tisch liegen {n} Äpfel – schön gereiht."),
    ("Welche Straße führt über die Brücke?", "Die Königsallee, Hausnummer {n}."),
    ("¿Cuántos niños hay en la fotografía?", "Hay {n} niños jugando en el jardín."),
    ("Qual é o título do cartaz?", "O cartaz diz «SÃO PAULO, EDIÇÃO {n}»."),
    ("图中有多少个红色的圆形？", "图中有{n}个红色的圆形。"),
    ("这张图表的标题是什么？", "标题是“第{n}季度销售额”。"),
    ("この写真には何が写っていますか。", "机の上に{n}冊の本が置かれています。"),
    ("Сколько окон на рисунке?", "На рисунке {n} окон."),
    ("در این تصویر چه می‌بینید؟", "در این تصویر {n} کتاب روی میز می‌بینم."),
    ("Jaki numer ma łódź przy brzegu?", "Łódź przy brzegu ma numer {n}."),
)
FRENCH_COLOURS = ("grise", "dorée", "beige foncé", "bleu clair", "rouge vif", "argentée")
MARKUP = (
    ("What does &lt; stand for in HTML?", "`&lt;` is written for the less-than sign `<`."),
    ("How do I write an ampersand in XML?", "Write `&amp;`; a bare `&` is an error."),
    ("How do I show logo_{n}.png on a web page?", 'Use `<img src="logo_{n}.png" alt="logo">`.'),
    (
        'What is wrong with `<img src="pic_{n}.jpg>`?',
        'The quote is not closed: `<img src="pic_{n}.jpg">`.',
    ),
    (
        "Which placeholder marks picture {n} in a LLaVA file?",
        "The text `<image>` stands where the picture is shown, once for each picture.",
    ),
    (
        "Draw a circle of radius {n} in SVG.",
        '```xml\n<svg><image href="a.png"/><circle r="{n}"/></svg>\n```',
    ),
    ("What does the <think> tag do in a chat template?", "It opens the reasoning of a reply."),
    ("How do I print a line break in C, {n} times?", 'Call `printf("\\n");` in a loop.'),
    (
        "An image of {n} x 480 pixels has 3 bytes for each pixel. How is its size in bytes found?",
        "Multiply width, height and 3: {n} x 480 x 3.",
    ),
    ("What is mojibake, e.g. Ã© for é?", "Text in one encoding that was read in another."),
)
"""Questions about markup: what looks like a fault in them is meant."""
RULES = (
    "You are the reviewer of a catalogue. Read the whole page before you answer, as the same "
    "article may stand on it twice.",
    "Prices in brackets are old prices. Do not use them.",
    "A number in the margin is the number of the page, and never a price.",
    "Where two articles share one price, name both, in the order in which they stand on the page.",
    "If the page shows no price for the article, reply with the word none.",
    "Colours are named as the legend names them, also where the print looks different.",
    "Measures are given in millimetres on the drawing and in metres in the table; use the table.",
    "The table may go on in a second column. Its head is not repeated there.",
)
