"""Options of commands as frozen dataclasses: each field is an option, annotated with how to parse.

`takes(Greeting)` turns a function of one `Greeting` into a function with a parameter per field, as
Typer wants them:

>>> import inspect
>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Greeting:
...     name: str = "world"
>>> @takes(Greeting)
... def greet(greeting: Greeting) -> None:
...     print(f"Hello {greeting.name}")
>>> list(inspect.signature(greet).parameters)
['name']
>>> greet(name="seed")
Hello seed
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

OptionsT = TypeVar("OptionsT")


class DeviceName(StrEnum):
    """The devices to train on."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class PrecisionName(StrEnum):
    """The precisions of training."""

    float32 = "float32"
    float64 = "float64"


def _home_folder(path: Path) -> Path:
    """Return a path in which "~" stands for the user's folder, which shells leave in a variable."""
    return Path(os.path.expanduser(path))


Results = Annotated[
    Path,
    typer.Option(
        "--results",
        help="Folder of the runs.",
        metavar="DIR",
        envvar="MANYSEEDS_RESULTS",
        callback=_home_folder,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Device = Annotated[DeviceName, typer.Option(help="Device to train on.")]
Quick = Annotated[bool, typer.Option("--quick", help="Use the quick form, on embedded data.")]
ShowAll = Annotated[bool, typer.Option("--all", help="Show unchanged rows, too.")]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend", help="Only this backend; may be repeated. All installed ones if left out."
    ),
]
Recipes = Annotated[
    list[str] | None, typer.Option("--recipe", help="Only this recipe; may be repeated.")
]
Markdown = Annotated[
    Path | None, typer.Option(help="Also write a summary to this Markdown file.", metavar="FILE")
]
Junit = Annotated[
    Path | None, typer.Option(help="Also write JUnit XML to this file.", metavar="FILE")
]
Figures = Annotated[
    Path | None, typer.Option(help="Write figures of the changes to this folder.", metavar="DIR")
]


def takes(options: type[OptionsT]) -> Callable[[Callable[[OptionsT], None]], Callable[..., None]]:
    """Return a decorator that gives a function of one `options` object its fields as parameters."""

    def decorate(function: Callable[[OptionsT], None]) -> Callable[..., None]:
        @wraps(function)
        def command(**values: Any) -> None:
            function(options(**values))

        hints = get_type_hints(options, include_extras=True)
        signature = inspect.signature(options)
        command.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                parameter.replace(annotation=hints[name])
                for name, parameter in signature.parameters.items()
            ],
            return_annotation=None,
        )
        command.__annotations__ = hints
        return command

    return decorate
