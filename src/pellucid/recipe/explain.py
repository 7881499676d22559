"""Say what pydantic found in the words of a recipe: dotted path, value, rule, fix.

pydantic's locations hold the tags of unions beside the fields; walking the types tells them apart.
"""

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pellucid.base.errors import Problem
from pellucid.base.lookup import did_you_mean


def explain(detail: ErrorDetails, root: Any) -> Problem:
    """One pydantic error as a `Problem`; `root` is the type that was validated."""
    location = detail["loc"]
    path, _ = _walk(location, root)
    field = ".".join(path) or "recipe"
    kind = detail["type"]
    if kind == "extra_forbidden":
        _, known = _walk(location[:-1], root)
        fix = did_you_mean(str(location[-1]), known)
        return Problem(field, detail["input"], "is not a field here", fix)
    if kind == "missing":
        return Problem(field, None, "is required", _added(location))
    if kind == "union_tag_not_found":
        return Problem(f"{field}.kind", None, "is required", "say which kind it is")
    if kind == "union_tag_invalid":
        context = detail.get("ctx", {})
        known = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",")]
        given = str(context.get("tag"))
        return Problem(f"{field}.kind", given, "is not a known kind", did_you_mean(given, known))
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return Problem(field, detail["input"], f"is refused: {message}", "correct the value")


def _added(location: Sequence[int | str]) -> str:
    """What to do about a field that is missing; of one in a list, what surprises most."""
    if not any(isinstance(part, int) for part in location):
        return "add it"
    return "add it (a list replaces that of the recipe in `extends`; it is not merged with it)"


def _walk(location: Sequence[int | str], root: Any) -> tuple[list[str], list[str]]:
    """Field path of a location without union tags, and the fields known at its end."""
    path: list[str] = []
    here: Any = root
    for part in location:
        models = _models(here)
        if len(models) > 1 and part in (tagged := {_tag(model): model for model in models}):
            here = tagged[str(part)]
            continue
        path.append(str(part))
        here = _child(here, part)
    return path, sorted({name for model in _models(here) for name in model.model_fields})


def _child(annotation: Any, part: int | str) -> Any:
    """The type of a field, of a mapping's values, or of a sequence's items."""
    for model in _models(annotation):
        if part in model.model_fields:
            field = model.model_fields[str(part)]
            return field.annotation
    for candidate in _options(annotation):
        if get_origin(candidate) is dict:
            return get_args(candidate)[1]
        if get_origin(candidate) is tuple:
            return get_args(candidate)[0]
    return None


def _options(annotation: Any) -> list[Any]:
    """The members of a union, annotations peeled off."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for arg in get_args(annotation) for member in _options(arg)]
    return [annotation]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [
        member
        for member in _options(annotation)
        if isinstance(member, type) and issubclass(member, BaseModel)
    ]


def _tag(model: type[BaseModel]) -> str:
    field = model.model_fields.get("kind")
    return str(get_args(field.annotation)[0]) if field else ""
