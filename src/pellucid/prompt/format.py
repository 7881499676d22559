"""The control strings of a conversation format, and what stands between them.

A turn is `turn_start role separator CONTENT turn_end after_end`. An assistant turn has
`after_assistant_separator` before its content, and its content opens with the mode: either
`think REASONING think_close ANSWER` or `nothink ANSWER`; `lead` opens REASONING and ANSWER.

Leaves out on purpose: tools and roles other than system, user and assistant.
"""

from dataclasses import asdict, dataclass

from pellucid.recipe.model import Lead


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """Control strings (one token each) and the plain text that follows two of them."""

    turn_start: str
    separator: str
    """Ends the role: a control string, or plain text, which is then one text with role and content
    to the tokenizer."""
    turn_end: str
    think: str
    think_close: str
    nothink: str
    image: str
    """Placeholder, repeated once per image token."""
    pad: str
    after_end: str = ""
    """Plain text after every `turn_end`; never supervised."""
    after_assistant_separator: str = ""
    """Plain text between the separator and the mode token; never supervised."""
    after_image: str = ""
    """Plain text after every image."""
    image_start: str = ""
    """Control string before the placeholders of every image; none when empty."""
    image_end: str = ""
    """Control string after them; none when empty."""
    lead: Lead = ""
    """Opens thinking and answer; generated with them, and taken away again. After a space the first
    word of an answer has the token that the same word has within a text."""

    def as_dict(self) -> dict[str, str]:
        """The fields as they are saved; those that came later, only where they say something."""
        later = ("image_start", "image_end")
        return {name: text for name, text in asdict(self).items() if text or name not in later}

    @property
    def controls(self) -> tuple[str, ...]:
        """The control strings, in the order of their ids in the shipped tokenizer.

        >>> PELLUCID.controls[:2]
        ('<|pad|>', '<|im_start|>')
        """
        return (
            self.pad,
            self.turn_start,
            self.separator,
            self.turn_end,
            self.think,
            self.think_close,
            self.nothink,
            self.image,
        )


PELLUCID = ChatFormat(
    turn_start="<|im_start|>",
    separator="<|im_sep|>",
    turn_end="<|im_end|>",
    think="<think>",
    think_close="</think>",
    nothink="<nothink>",
    image="<|image|>",
    pad="<|pad|>",
)
"""Phi-4's turns without its newlines, and a nothink token that is named for what it does."""

PHI4 = ChatFormat(
    turn_start="<|im_start|>",
    separator="<|im_sep|>",
    turn_end="<|im_end|>",
    think="<think>",
    think_close="</think>",
    nothink="<|dummy_84|>",
    image="<|dummy_0|>",
    pad="<|dummy_85|>",
    after_end="\n",
    after_assistant_separator="\n",
    after_image="\n",
)
"""Phi-4-reasoning-vision's: its nothink token and its padding are slots that Phi-4 left unused. The
published code has no token for an image (it uses the index -200); ours is the slot that the
published vLLM plug-in takes."""

QWEN = ChatFormat(
    turn_start="<|im_start|>",
    separator="\n",
    turn_end="<|im_end|>",
    think="<think>",
    think_close="</think>",
    nothink="<nothink>",
    image="<|image_pad|>",
    pad="<|endoftext|>",
    after_end="\n",
    image_start="<|vision_start|>",
    image_end="<|vision_end|>",
)
"""Qwen2.5-VL's. It has no mode tokens: ours take ids that its embedding has and its tokenizer does
not (see `model.weights.qwen2_5_vl`)."""
