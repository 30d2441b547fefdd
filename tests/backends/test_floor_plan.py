"""The three wings stand on one floor plan: the same core files and the same names in each."""

import ast
from pathlib import Path

import pytest

BACKENDS = Path(__file__).parents[2] / "backends"
WINGS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "jax": "Jax"}

CORE = {
    "backend": {"{framework}Backend"},
    "cohort": {"{framework}Cohort"},
    "device": {"OpenDevice", "open_device", "threads", "describe", "peak_memory"},
    "lanes": {"LaneGroups"},
    "training": {"Trainer"},
    "network": {"LaneNetwork"},
    "layers": {"ForwardPass"},
    "activations": {"activate"},
    "losses": {"losses", "losses_of_probabilities", "probabilities", "correct"},
    "penalties": {"has_penalty"},
    "optimizers": {"RULES"},
    "clipping": {"clipped", "constrained"},
    "noise": {"threefry"},
    "augmentation": {"DeviceChanges", "augmented"},
    "scoring": {"score", "sample"},
    "activity": {"activity"},
}
"""Each core file, and the public names that every wing defines in it or in its extras."""


def modules(folder):
    """Return the module names of a wing, without its `__init__`."""
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def public_names(path):
    """Return what a module defines at its top level, names with an underscore left out."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")}


def serving(folder, core):
    """Return a core file and the extras named after it, which may hold its names."""
    return [folder / f"{core}.py", *sorted(folder.glob(f"{core}_*.py"))]


def faults(folder, framework):
    """Return where a wing leaves the floor plan."""
    there = modules(folder)
    found = [f"no {core}.py" for core in CORE if core not in there]
    extras = there - set(CORE)
    found += [
        f"{name}.py is named after no core file"
        for name in sorted(extras)
        if name.split("_")[0] not in CORE
    ]
    for core in there & set(CORE):
        wanted = {name.format(framework=framework) for name in CORE[core]}
        missing = wanted - set().union(*map(public_names, serving(folder, core)))
        found += [f"{core}.py defines no {name}" for name in sorted(missing)]
    return found


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_has_the_core_files_with_their_names_and_extras_named_after_them(wing):
    assert faults(BACKENDS / f"manyseeds_{wing}", WINGS[wing]) == []


def test_a_missing_file_a_stray_one_and_another_name_are_noticed(tmp_path):
    for core, names in CORE.items():
        lines = [f"{name.format(framework='Jax')} = None" for name in names]
        (tmp_path / f"{core}.py").write_text("\n".join(lines), encoding="utf-8")
    assert faults(tmp_path, "Jax") == []
    (tmp_path / "noise.py").unlink()
    (tmp_path / "helpers.py").touch()
    (tmp_path / "lanes_threads.py").touch()
    (tmp_path / "training.py").write_text("class Shard: ...", encoding="utf-8")
    assert faults(tmp_path, "Jax") == [
        "no noise.py",
        "helpers.py is named after no core file",
        "training.py defines no Trainer",
    ]
