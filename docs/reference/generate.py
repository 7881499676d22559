"""Write the reference pages from the recipe's schema and the commands' help.

    .venv/bin/python docs/reference/generate.py

The tests compare the pages with what this writes, so they cannot go stale.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from pellucid.cli.main import app
from pellucid.recipe import json_schema

HERE = Path(__file__).resolve().parent
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} letters",
    "minItems": "at least {}",
    "minProperties": "at least {}",
    "pattern": "like `{}`",
}
_HEAD = "<!-- Written by docs/reference/generate.py; edit the code that it reads. -->\n"


def recipe_page() -> str:
    """Every field of a recipe: type, default, meaning."""
    schema = json_schema()
    told = [
        f"{_HEAD}\n# The recipe\n",
        "One YAML file. `extends: NAME` starts from a shipped recipe or a file beside this one; "
        "mappings merge, everything else\nis replaced, `null` removes. `--set a.b=c` overrides a "
        "field for one run. Unknown fields are errors, and all errors are\nreported at once. "
        "`pellucid recipe show NAME` prints a recipe with everything resolved, "
        "`pellucid recipe schema` the JSON Schema\nfor editors.\n",
        "## Recipe\n",
        *_section(schema),
    ]
    for name, at in _order(schema).items():
        told += [f"## {name}\n", f"At `{at}`.\n", *_section(schema["$defs"][name])]
    return "\n".join(told)


def commands_page() -> str:
    """The help of every command, 80 columns wide."""
    told = [
        f"{_HEAD}\n# The commands\n",
        "Exit codes: 0 done, 1 gate FAIL, 2 something that you or the machine can mend, 3 gate "
        "INCONCLUSIVE, 130 interrupted.\n`pellucid --install-completion` installs completion for "
        "the shell.\n",
    ]
    for words in _commands(typer.main.get_command(app), []):
        asked = [*words, "--help"]
        shown = CliRunner().invoke(app, asked, env={"COLUMNS": "80"}, prog_name="pellucid")
        assert shown.exit_code == 0, shown.output
        body = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        told += [f"## {' '.join(['pellucid', *words])}\n", f"```text\n{body}\n```\n"]
    return "\n".join(told)


def _commands(command: Any, words: list[str]) -> Iterator[list[str]]:
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, [*words, name])


def _order(schema: Mapping[str, Any]) -> dict[str, str]:
    """Sections as a reader meets them, fields before what they hold, with where each stands."""
    found: dict[str, str] = {}
    queue: list[tuple[Any, str]] = [(schema, "")]
    while queue:
        node, at = queue.pop(0)
        if isinstance(node, list):
            queue += [(item, at) for item in node]
            continue
        if not isinstance(node, dict) or not node:
            continue
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found[name] = at
            queue.append((schema["$defs"][name], at))
        for key in ("anyOf", "oneOf"):
            queue.append((node.get(key, []), at))
        queue.append((node.get("additionalProperties", {}), f"{at}.*"))
        queue += [(inner, f"{at}.*") for inner in node.get("patternProperties", {}).values()]
        queue.append((node.get("items", {}), f"{at}.0"))
        fields = node.get("properties", {})
        queue += [(inner, f"{at}.{field}".lstrip(".")) for field, inner in fields.items()]
    return found


def _section(node: Mapping[str, Any]) -> list[str]:
    needed = node.get("required", [])
    rows = [
        f"| `{name}` | {_type(field)} | {_default(field, name in needed)} | {_text(field)} |"
        for name, field in node["properties"].items()
    ]
    head = ["| field | type | default | |", "|---|---|---|---|"]
    return [f"{_text(node)}\n", *head, *rows, ""]


def _text(node: Mapping[str, Any]) -> str:
    """The doc line; a field that only refers to options has theirs in their own section."""
    return re.sub(r"\s+", " ", node.get("description", "")).replace("|", "\\|").strip()


def _default(field: Mapping[str, Any], needed: bool) -> str:
    if needed:
        return "needed"
    value = field.get("default")
    if value is None or isinstance(value, (dict, list)):
        return "its own defaults" if isinstance(value, dict) and value else _listed(value)
    return (
        "empty"
        if value == ""
        else f"`{str(value).lower() if isinstance(value, bool) else value!s}`"
    )


def _listed(value: Any) -> str:
    return ", ".join(f"`{item}`" for item in value) if value else "none"


def _type(node: Mapping[str, Any]) -> str:
    bounds = ", ".join(
        said.format(str(node[key]).replace("|", "\\|"))
        for key, said in _BOUNDS.items()
        if key in node
    )
    return f"{_kind(node)}{', ' + bounds if bounds else ''}"


def _kind(node: Mapping[str, Any]) -> str:
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " \\| ".join(
            f"`{value}`" if str(value).strip() else f'`"{value}"`' for value in node["enum"]
        )
    if options := node.get("anyOf") or node.get("oneOf"):
        return " \\| ".join(_type(option) for option in options if option.get("type") != "null")
    if node.get("type") == "array":
        places = node.get("prefixItems")
        return "list of " + (", ".join(map(_type, places)) if places else _type(node["items"]))
    if node.get("type") == "object":
        inner = node.get("additionalProperties") or next(iter(node["patternProperties"].values()))
        return f"{_type(inner)} by name"
    return str(node.get("type", "anything")).replace("string", "text")


PAGES = {"recipe.md": recipe_page, "commands.md": commands_page}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
