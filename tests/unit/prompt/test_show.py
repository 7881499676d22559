"""What people see of a rendered record."""

from pellucid.prompt.show import coloured, plain
from pellucid.schema.record import assistant, user

GREEN, DIM, RESET = "\x1b[32m", "\x1b[2m", "\x1b[0m"


def test_plain_marks_what_is_supervised_and_folds_images(renderer, record):
    first, _ = renderer.examples(record)
    assert plain(first, renderer) == (
        "<|im_start|>user<|im_sep|>[image 2x2 = 4 tokens]7?[image 4x3 = 12 tokens]<|im_end|>"
        "<|im_start|>assistant<|im_sep|>«<think>7 + 1</think>8<|im_end|>»\n"
        "7 of 32 tokens supervised (21.9%)"
    )


def test_coloured_is_the_same_text_in_colours(renderer, record):
    for example in renderer.examples(record):
        shown = coloured(example, renderer)
        assert shown.startswith(DIM + "<|im_start|>")
        marked = shown.replace(GREEN, "«").replace("»" + RESET, "»").replace(DIM, "")
        pieces = marked.split(RESET)
        text = "".join(piece + ("»" if "«" in piece else "") for piece in pieces)
        assert text == plain(example, renderer)


def test_text_cannot_steer_the_terminal(renderer, make):
    (example,) = renderer.examples(make(user("\x1b[2J\u202ea"), assistant("b\r")))
    assert "\\x1b[2J\\u202ea" in plain(example, renderer)
    assert "b\\r" in coloured(example, renderer)
