"""Words that documents and screens are written with.

Common English nouns of three to seven letters, and what buttons say, all in small letters: what a
compact model reads is 26 shapes and not 52. Leaves out on purpose: words that questions are asked
with (line, box, number), words of money and the names of colours.
"""

WORDS = tuple(
    "acorn actor album alarm amber anchor angle ankle apple apron arrow attic "
    "badge bagel baker ball banana banjo barn basil basket beach bean bear "
    "bed beetle bell bench berry bike bird blanket boat bolt book boot "
    "bottle bowl bread brick bridge broom brush bucket bus butter cabin "
    "cable cake camel camera candle canoe card carpet carrot castle cave "
    "cello chain chair chalk cheese cherry chess cloud clover coat coffee comb "
    "compass cookie coral cotton cradle crayon cricket crown curtain cushion daisy desk "
    "donkey door dragon dress drum duck eagle engine fabric falcon farm "
    "feather fence ferry fiddle flag flour flower flute forest fork fossil "
    "garden garlic gate ginger glass globe glove goat grape guitar hammer harbour "
    "hat helmet hill honey hook horse hotel house iron island ivory jacket "
    "jar jelly jewel juice kettle kitten ladder lake lamp lantern laptop leaf "
    "lemon lily lizard magnet mango maple marble market meadow melon milk mirror "
    "mitten monkey moon motor muffin museum napkin needle nest oven owl paddle "
    "palace panda paper parrot pasta peanut pear pebble pencil pepper piano picnic "
    "pigeon pillow pilot pizza planet plum pocket pony potato puppet quilt rabbit "
    "radio raisin ribbon rice river robot rocket roof rope saddle salad sandal "
    "school scarf shell shirt shovel silver soap sofa soup spider spoon stamp "
    "statue stone stove sugar swan table teapot tent thread ticket tiger toast "
    "tomato tower tractor train tray tulip tunnel turtle vase velvet violin wagon "
    "walnut watch wheel whistle willow wolf wool yarn zebra zipper".split()
)
COMMANDS = tuple(
    "save open close send print copy paste undo redo help next back edit share home menu play "
    "pause stop start reply delete search cancel submit accept upload login logout apply reset "
    "add find sort zoom mute skip join sync scan".split()
)
