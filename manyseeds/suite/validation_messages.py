"""Messages for invalid suites: the file, the key, the expectation, the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from manyseeds.errors import quoted, shortened, unknown
from manyseeds.model import Model
from manyseeds.techniques.registry import technique_name
from manyseeds.techniques.technique import Technique


def describe_errors(
    error: ValidationError,
    model: type[Model],
    file: str,
    key: str,
    also: Sequence[str] = (),
    but: Sequence[str] = (),
) -> str:
    """Return a message with a line for every mistake, as `file: key: problem`.

    Of very many mistakes it has the first, and the number of the others.

    Parameters
    ----------
    error
        The mistakes that pydantic found.
    model
        The class of the invalid value.
    file, key
        The place of the value.
    also, but
        Keys that may stand there besides the model's fields, and fields that may not.
    """
    details = error.errors(include_url=False)
    top = sorted({*model.model_fields, *also} - set(but))
    lines = [
        shortened(_line(dict(detail), model, file, key, top), _LONGEST_LINE)
        for detail in details[:_MOST_LINES]
    ]
    if len(details) > _MOST_LINES:
        lines.append(f"{file}: and {len(details) - _MOST_LINES:,} more mistakes")
    return "\n".join(lines)


_MOST_LINES = 10
_LONGEST_LINE = 1_000


def _line(
    detail: dict[str, Any], model: type[Model], file: str, key: str, top: Sequence[str]
) -> str:
    """Return the line for one mistake, as pydantic details it; `top` are the model's own keys."""
    # Pydantic names the kinds of value it has tried, such as "tuple[str, ...]": they are no keys.
    loc = tuple(part for part in detail["loc"] if "[" not in str(part))
    if detail["type"] == "extra_forbidden":
        if str(detail["input"]).startswith("test"):
            return (
                f"{_place(file, key, loc)}: nothing is ever selected or scheduled by test data; "
                "leave the key out: validation data decide"
            )
        known = _fields_at(model, loc[:-1]) if len(loc) > 1 else top
        return f"{_place(file, key, loc[:-1])}: {unknown('key', str(loc[-1]), known)}"
    where = _place(file, key, loc)
    if detail["type"] == "union_tag_invalid":
        known = [tag.strip(" '") for tag in detail["ctx"]["expected_tags"].split(",")]
        return f"{where}: {unknown('technique', detail['ctx']['tag'], known)}"
    if detail["type"] == "literal_error":
        known = [
            part.strip(" '") for part in detail["ctx"]["expected"].replace(" or ", ",").split(",")
        ]
        return f"{where}: {unknown('value', str(detail['input']), known)}"
    if detail["type"] == "missing":
        return f"{where}: this key is required and missing"
    message = detail["msg"].removeprefix("Value error, ").replace("valid tuple", "valid list")
    message = message.replace("valid dictionary or object to extract fields from", "table")
    value = f", not {quoted(detail['input'])}" if _is_short(detail["input"]) else ""
    return f"{where}: {message[0].lower()}{message[1:]}{value}"


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | None) and len(quoted(value)) < 60


def _place(file: str, key: str, loc: Sequence[str | int]) -> str:
    """Return the file and the path of the key in it; the file alone if the key is empty."""
    path = key
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{file}: {path.removeprefix('.')}" if path else file


def _fields_at(model: type[Model], loc: Sequence[str | int]) -> list[str]:
    """Return the names of the fields of the models that a location leads to."""
    candidates: list[type[Model]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        tagged = [c for c in candidates if _has_name(c, part)]
        if tagged:
            candidates = tagged
            continue
        fields = [c.model_fields[part] for c in candidates if part in c.model_fields]
        candidates = [m for field in fields for m in _models_in(field.annotation)]
    return sorted({name for c in candidates for name in c.model_fields})


def _has_name(model: type[Model], name: str) -> bool:
    return issubclass(model, Technique) and technique_name(model) == name


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
