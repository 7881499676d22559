"""The chat template (Jinja) that gives other programs the ids and the mask of the renderer.

A text template cannot keep control strings that stand in messages apart from control tokens, so it
refuses them; the renderer can, and does not. Takes the variables `system`, `keep_thinking` and
`mode` beside what transformers passes.
"""

from collections.abc import Sequence

from pellucid.prompt.format import ChatFormat

_BODY = """
{%- macro refuse(text) -%}
  {%- for control in controls if control in text -%}
    {{- raise_exception("a message holds the control string " + control) -}}
  {%- endfor -%}
{%- endmacro -%}
{%- macro shown(message) -%}
  {%- if message.content is string -%}
    {{- refuse(message.content) -}}{{- message.content -}}
  {%- else -%}
    {%- set run = namespace(text="") -%}
    {%- for part in message.content -%}
      {%- if part.type == "text" -%}
        {%- set run.text = run.text + part.text -%}
        {{- part.text -}}
      {%- else -%}
        {%- if part.type != "image" -%}
          {{- raise_exception("a part is neither text nor image") -}}
        {%- elif message.role == "assistant" -%}
          {{- raise_exception("an assistant turn cannot show images") -}}
        {%- endif -%}
        {{- refuse(run.text) -}}
        {%- set run.text = after_image -%}
        {{- image + after_image -}}
      {%- endif -%}
    {%- endfor -%}
    {{- refuse(run.text) -}}
  {%- endif -%}
{%- endmacro -%}
{%- if system and not (messages and messages[0].role == "system") -%}
  {{- turn_start + "system" + separator + system + turn_end + after_end -}}
{%- endif -%}
{%- for message in messages -%}
  {{- turn_start + message.role + separator -}}
  {%- if message.role != "assistant" -%}
    {{- shown(message) + turn_end + after_end -}}
  {%- else -%}
    {{- after_assistant_separator -}}
    {%- set reasoning = message.reasoning_content or "" -%}
    {%- if not reasoning or keep_thinking or (loop.last and not add_generation_prompt) -%}
      {%- generation -%}
        {%- if reasoning -%}
          {{- refuse(reasoning) -}}{{- think + lead + reasoning + think_close -}}
        {%- else -%}
          {{- nothink -}}
        {%- endif -%}
        {{- lead + shown(message) + turn_end -}}
      {%- endgeneration -%}
    {%- else -%}
      {{- nothink + lead + shown(message) + turn_end -}}
    {%- endif -%}
    {{- after_end -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- turn_start + "assistant" + separator + after_assistant_separator -}}
  {%- if mode == "think" -%}{{- think -}}{%- elif mode == "nothink" -%}{{- nothink -}}{%- endif -%}
{%- endif -%}
"""


def chat_template(
    format: ChatFormat, controls: Sequence[str], system: str, keep_thinking: bool
) -> str:
    """The template of a checkpoint.

    Args:
        format: control strings.
        controls: every control string of the tokenizer; refused inside messages.
        system: default system text; empty for none.
        keep_thinking: default of the variable of that name.
    """
    names = {
        "turn_start": format.turn_start,
        "separator": format.separator,
        "turn_end": format.turn_end,
        "think": format.think,
        "think_close": format.think_close,
        "nothink": format.nothink,
        "image": format.image_start + format.image + format.image_end,
        "after_image": format.after_image,
        "after_end": format.after_end,
        "after_assistant_separator": format.after_assistant_separator,
        "lead": format.lead,
    }
    lines = [f"{{%- set {name} = {_literal(value)} -%}}" for name, value in names.items()]
    listed = ", ".join(_literal(control) for control in controls)
    lines.append(f"{{%- set controls = [{listed}] -%}}")
    kept = "true" if keep_thinking else "false"
    lines.append(f"{{%- set system = system if system is defined else {_literal(system)} -%}}")
    lines.append(
        "{%- set keep_thinking = keep_thinking if keep_thinking is defined else " + kept + " -%}"
    )
    return "\n".join(lines) + _BODY


def _literal(text: str) -> str:
    r"""A string of Jinja, in ASCII.

    >>> print(_literal('a "b"'))
    "a \x22b\x22"
    """
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    code = ord(character)
    if 32 <= code < 127 and character not in '"\\{}%#':
        return character
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
