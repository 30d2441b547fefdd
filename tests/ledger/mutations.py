"""Ledgers as they can be found: damaged, edited, doubled, mixed up and linked, by chance."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ODD = (None, True, -1, 0, 7, 10**30, 1.5, float("nan"), float("inf"), "", "x", "../../../x")
ODD += ([], {}, [None], {"x": 1}, "\ud800"[:0] + "ä" * 300)


@dataclass(frozen=True)
class Mutation:
    """A change of a run's folder: its name, and whether rows may be missing after it."""

    name: str
    loses: bool
    apply: Callable[[Random, Path, Path], None]


def tables(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def files(folder: Path) -> list[Path]:
    return [folder / "plan.json", folder / "provenance.json", *tables(folder)]


def _flip(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    content = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 1, 4, 50))):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _truncate(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    os.truncate(path, random.randrange(path.stat().st_size))


def _zeros(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    content = bytearray(path.read_bytes())
    start = random.randrange(len(content))
    length = random.randrange(1, len(content) - start + 1)
    content[start : start + length] = bytes(length)
    path.write_bytes(content)


def _append(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    path.write_bytes(path.read_bytes() + random.choice((b"\0", b"PAR1", path.read_bytes())))


def _exchange(random: Random, folder: Path, _: Path) -> None:
    first, second = random.sample(files(folder), 2)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _edit(name: str) -> Callable[[Random, Path, Path], None]:
    def edit(random: Random, folder: Path, _: Path) -> None:
        path = folder / name
        document = json.loads(path.read_text(encoding="utf-8"))
        holder, key = random.choice(_places(document))
        action = random.choice(("set", "set", "set", "remove", "double"))
        if action == "set":
            holder[key] = random.choice(ODD)
        elif action == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[f"{key}2"] = holder[key]
        path.write_text(json.dumps(document), encoding="utf-8")

    return edit


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document: its container, and its key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in list(items):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += _places(inner)
    return found


def _rewrite(random: Random, folder: Path, _: Path) -> None:
    """Write a table with a change that no training can have made."""
    path = random.choice(tables(folder))
    table = pq.read_table(path)
    rows = table.to_pylist()
    number = random.randrange(len(rows))
    numbers = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    keys = ["recipe", "backend", "mode", "vary", "seed", "job", "attempt"]
    match random.choice(("number", "key", "doubled", "type", "column", "named", "many")):
        case "number":
            rows[number][random.choice(numbers)] = random.choice((float("nan"), float("inf")))
        case "key":
            name = random.choice(keys)
            text = isinstance(rows[number][name], str)
            rows[number][name] = random.choice(("x", None) if text else (-1, 99, 2**62, None))
        case "doubled":
            rows.insert(random.randrange(len(rows)), rows[number])
        case "type":
            name = random.choice(table.schema.names)
            place = table.schema.get_field_index(name)
            values = pa.array([str(row[name]) for row in rows], pa.large_string())
            pq.write_table(table.set_column(place, name, values), path)
            return
        case "column":
            pq.write_table(table.drop_columns([random.choice(keys)]), path)
            return
        case "named":
            names = [f"{n}2" if n == "recipe" else n for n in table.schema.names]
            pq.write_table(table.rename_columns(names), path)
            return
        case "many":
            rows = [rows[number]] * 20_000
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def _impossible(random: Random, folder: Path, _: Path) -> None:
    """Write records with a value that is out of its range, or of a row of another status."""
    path = random.choice([p for p in tables(folder) if "records" in str(p.relative_to(folder))])
    table = pq.read_table(path)
    rows = table.to_pylist()
    change = random.choice(
        (
            {"test_accuracy": 5.0},
            {"test_accuracy": None},
            {"test_loss": None},
            {"status": "failed"},
            {"status": "diverged"},
            {"status": "missing"},
            {"epochs": 10**9},
            {"best_epoch": -1},
            {"lanes": 99},
            {"seed_init": 77},
            {"suite": "x"},
            {"recipe_sha256": "x"},
            {"seconds_train": -1e9},
        )
    )
    rows[random.randrange(len(rows))] |= change
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def _rename(random: Random, folder: Path, _: Path) -> None:
    path, other = random.sample(tables(folder), 2)
    names = (other.name, "00000-02.parquet", "00077-01.parquet", "x.parquet", f"._{path.name}")
    path.replace(path.with_name(random.choice(names)))


def _delete(random: Random, folder: Path, _: Path) -> None:
    random.choice(files(folder)).unlink()


def _copy(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    names = (f"{path.stem} (1){path.suffix}", f"._{path.name}", f"{path.name}.part", ".DS_Store")
    names += (f"{path.stem}.sync-conflict-1{path.suffix}", f"{path.name}~", "Kopie von allem")
    shutil.copy(path, path.with_name(random.choice(names)))


def _copy_as_attempt(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(tables(folder))
    place = path.parent if path.parent != folder else folder / path.stem
    place.mkdir(exist_ok=True)
    name = random.choice(("00000-02.parquet", "00001-01.parquet", "00000-01.parquet"))
    (place / name).write_bytes(path.read_bytes())


def _link(random: Random, folder: Path, outside: Path) -> None:
    places = [*files(folder), *(p for p in folder.iterdir() if p.is_dir())]
    path = random.choice(places)
    target = random.choice((outside / path.name, path, outside / "nowhere", folder.parent))
    if target == outside / path.name:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, target)
    (shutil.rmtree if path.is_dir() else os.unlink)(path)
    path.symlink_to(target)


def _other_kind(random: Random, folder: Path, _: Path) -> None:
    path = random.choice(files(folder))
    path.unlink()
    (os.mkfifo if random.random() < 0.5 else os.mkdir)(path)


def _folder_lost(random: Random, folder: Path, _: Path) -> None:
    path = random.choice([p for p in folder.iterdir() if p.is_dir()] or [folder / "plan.json"])
    (shutil.rmtree if path.is_dir() else os.unlink)(path)
    if random.random() < 0.5:
        path.write_text("a file")


def _copied_run(random: Random, folder: Path, _: Path) -> None:
    name = random.choice((f"{folder.name} - Copy", "backup", "zzz"))
    if random.random() < 0.3:
        (folder.parent / name).symlink_to(folder)
    else:
        shutil.copytree(folder, folder.parent / name)


MUTATIONS = (
    Mutation("bits flipped", False, _flip),
    Mutation("cut short", False, _truncate),
    Mutation("filled with zeros", False, _zeros),
    Mutation("something appended", False, _append),
    Mutation("two files exchanged", False, _exchange),
    Mutation("plan edited", True, _edit("plan.json")),
    Mutation("provenance edited", False, _edit("provenance.json")),
    Mutation("table rewritten", False, _rewrite),
    Mutation("impossible value", False, _impossible),
    Mutation("renamed", True, _rename),
    Mutation("deleted", True, _delete),
    Mutation("copied beside", False, _copy),
    Mutation("copied as an attempt", False, _copy_as_attempt),
    Mutation("linked", False, _link),
    Mutation("no regular file", False, _other_kind),
    Mutation("folder lost", True, _folder_lost),
    Mutation("run copied", False, _copied_run),
)
