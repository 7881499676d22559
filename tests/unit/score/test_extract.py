"""Where the final answer of a text is found."""

import pytest

from pellucid.score.extract import MAX_CHARS, final_answer, unwrap


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"first \boxed{1}, then \boxed{\frac{1}{2}}.", r"\frac{1}{2}", "boxed"),
        (r"\boxed{x = \boxed{3}}", "3", "boxed"),
        (r"\boxed{4} and an open \boxed{5", "4", "boxed"),
        (r"a set \boxed{\{1, 2\}}", r"\{1, 2\}", "boxed"),
        ("} stray } \\boxed{ok}", "ok", "boxed"),
        ("<answer>3</answer> no, <answer> 4 </answer>", "4", "block"),
        ("<answer>3", "<answer>3", "whole"),
        ("The answer is 3. So the answer is: **blue**", "blue", "cue"),
        ("Answer: B\nbecause of the bar", "B", "cue"),
        ("**Answer:** (C) red", "(C) red", "cue"),
        ("The correct option is D", "D", "cue"),
        ("I will not say what the answer isn't", "I will not say what the answer isn't", "whole"),
        ("  $\\text{red}$ ", "red", "whole"),
    ],
)
def test_final_answer(text: str, answer: str, rule: str) -> None:
    assert final_answer(text) == (answer, rule)


def test_only_the_end_is_read() -> None:
    assert final_answer(r"\boxed{7}" + " " * MAX_CHARS + "blue") == ("blue", "whole")


def test_unwrap_takes_whole_wrappers_only() -> None:
    assert unwrap("**`$x$`**") == "x"
    assert unwrap("$a$ and $b$") == "$a$ and $b$"
    assert unwrap("$") == "$"
