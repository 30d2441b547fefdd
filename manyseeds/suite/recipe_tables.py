"""The reading of recipes: their phases, with the tasks and networks these name, and short forms."""

from __future__ import annotations

from typing import Any

from manyseeds.errors import quoted
from manyseeds.model.limits import MOST_PHASES
from manyseeds.suite.class_pairs import Pair, classes_outside
from manyseeds.suite.dense_stack import ShortFormError, dense_stack
from manyseeds.suite.document import Document, Table
from manyseeds.suite.plain_values import is_whole
from manyseeds.suite.recipe import Phase, Recipe, Task
from manyseeds.techniques.network import Network


def read_recipe(document: Document, table: Table, key: str, pair: Pair) -> Recipe:
    """Return the recipe that the table at `key` describes, for one pair of classes."""
    entries = table.get("phases")
    if not isinstance(entries, list):
        raise document.error(f"{key}.phases", "expected a list of phases")
    if len(entries) > MOST_PHASES:
        raise document.error(
            f"{key}.phases", f"{len(entries):,} phases: at most {MOST_PHASES} are allowed"
        )
    phases = tuple(
        _read_phase(document, entry, f"{key}.phases[{number}]", pair)
        for number, entry in enumerate(entries)
    )
    return document.validate(Recipe, {**table, "phases": phases}, key)


def _read_phase(document: Document, entry: Any, key: str, pair: Pair) -> Phase:
    changes = dict(entry) if isinstance(entry, dict) else {"use": entry}
    name = changes.pop("use", None)
    table = {"name": name, **document.named_table("phases", name, f"{key}.use"), **changes}
    table["task"] = _read_task(document, table.get("task"), f"{key}.task", pair)
    network = _read_network(document, table.get("network"), f"{key}.network")
    table["network"] = network
    reuse = table.get("reuse", "all")
    if not (is_whole(reuse) or reuse == "all" or isinstance(reuse, list | dict)):
        raise document.error(
            f"{key}.reuse",
            'expected a number of hidden layers, a list of labels, a table of labels, or "all", '
            f"not {quoted(reuse)}",
        )
    if isinstance(table.get("reuse"), dict):
        table["reuse_from"] = tuple(table["reuse"].items())
        table["reuse"] = tuple(table["reuse"])
    if is_whole(table.get("reuse")):
        table["reuse"] = _lowest_layers(document, network, table["reuse"], f"{key}.reuse")
    if table.get("frozen") == "reused":
        table["frozen"] = table.get("reuse", ())
    return document.validate(Phase, table, key)


def _lowest_layers(document: Document, network: Network, count: int, key: str) -> tuple[str, ...]:
    """Return the labels of all layers with weights below the dense layer after the lowest `count`.

    These are the lowest `count` hidden layers and, for instance, their batch normalisation.
    """
    hidden = network.hidden_labels()
    if not 1 <= count <= len(hidden):
        raise document.error(
            key, f"{count} hidden layers requested, but the network has {len(hidden)}"
        )
    labels = network.labels()
    return labels[: labels.index(network.dense()[count].label)]


def _read_task(document: Document, name: Any, key: str, pair: Pair) -> Task:
    table = dict(document.named_table("tasks", name, key))
    classes = table.get("classes")
    if classes == "pair":
        table["classes"] = pair
    elif classes == "rest":
        table["classes"] = classes_outside(pair)
    elif isinstance(classes, str):
        raise document.error(
            f"tasks.{name}.classes", 'expected a list of classes, "pair" or "rest"'
        )
    return document.validate(Task, {"name": name, **table}, f"tasks.{name}")


def _read_network(document: Document, name: Any, key: str) -> Network:
    table = dict(document.named_table("networks", name, key))
    if "hidden" in table:
        if "layers" in table:
            raise document.error(
                f"networks.{name}.layers", "`hidden` describes the layers already: leave one out"
            )
        table["layers"] = _dense_layers(document, table, f"networks.{name}")
    return document.validate(Network, {"name": name, **table}, f"networks.{name}")


def _dense_layers(document: Document, table: dict[str, Any], key: str) -> list[Any]:
    """Return the layers of a network in its short form, and remove the short form's keys."""
    units = table.pop("hidden")
    if "output" not in table:
        raise document.error(f"{key}.output", "a network with `hidden` needs an `output` table")
    output = table.pop("output")
    if isinstance(output, dict):
        output = {"name": "dense", **output}
    try:
        return [*dense_stack(units, table), output]
    except ShortFormError as error:
        raise document.error(f"{key}.{error.key}", str(error)) from None
