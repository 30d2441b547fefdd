"""No variable and no file of the user's changes what a framework computes."""

import json
import os
from pathlib import Path

import pytest

from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import ROW_KEY, SECONDS

VOLATILE = [*SECONDS, "peak_memory_bytes", "attempt", "compilations"]

WILD = ('[[recipes]]\nname = "scratch"\nphases = ["scratch"]',
        '[[recipes]]\nname = "scratch"\nphases = [{ use = "scratch", rate = 1e30 }]')  # fmt: skip

VARIABLES = {
    "jax": {
        "JAX_DEBUG_NANS": "True",
        "JAX_ENABLE_X64": "True",
        "JAX_DISABLE_JIT": "True",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    },
    "tensorflow": {
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    },
    "pytorch": {
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "NUMBA_DISABLE_JIT": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":0:0",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", VARIABLES)
def test_a_users_variables_and_files_change_no_number(command, tiny, tmp_path, backend):
    pytest.importorskip("torch" if backend == "pytorch" else backend)
    home = tmp_path / "my home"
    (home / ".keras").mkdir(parents=True)
    settings = {"floatx": "float16", "epsilon": 0.5, "backend": "jax"}
    (home / ".keras" / "keras.json").write_text(json.dumps(settings))
    (tmp_path / ".numba_config.yaml").write_text("disable_jit: 1\n")
    # Terraform's variables begin with TF_, too: they are no concern of TensorFlow's.
    odd = VARIABLES[backend] | {"HOME": str(home), "TF_VAR_password": "secret"}
    kept = str(tmp_path / "kept programs")
    diverging = tiny(WILD, name="wild.toml")

    def train(suite, name, **environment):
        arguments = ("--backend", backend, "--recipe", "scratch", "--results", tmp_path / name)
        answer = command("run", suite, *arguments, MANYSEEDS_COMPILED=kept, **environment)
        (plan,) = (tmp_path / name).glob("*/plan.json")
        return answer, Ledger.open(plan.parent)

    _, plain = train(tiny(), "plain")
    answer, odder = train(tiny(), "odd", **odd)
    assert set(plain.records()["status"]) == {"ok"}
    frames = [
        ledger.records().drop(columns=VOLATILE).sort_values(ROW_KEY) for ledger in (plain, odder)
    ]
    assert frames[0].equals(frames[1])
    (environment,) = odder.provenance[-1]["backends"].values()
    assert environment["ignored"] == sorted(VARIABLES[backend])
    assert f"{backend} ignores {', '.join(environment['ignored'])}, which" in answer.err
    assert json.loads((home / ".keras" / "keras.json").read_text()) == settings

    _, wild = train(diverging, "wild", **odd)
    assert set(wild.records()["status"]) == {"diverged"}
    # Its programs are where they belong, although the path has a blank.
    folders = [path.name for path in Path(kept).iterdir()]
    assert all(name.partition("-")[0] in {backend, "numba"} for name in folders)
    assert any(path.is_file() for path in Path(kept).rglob("*"))
    assert {path.name for path in tmp_path.iterdir() if "kept" in path.name} == {"kept programs"}
    assert "programs" not in os.listdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow", "pytorch"])
@pytest.mark.parametrize("damage", ["empty", "cut"])
def test_damaged_programs_are_compiled_again(command, tiny, tmp_path, backend, damage):
    pytest.importorskip("torch" if backend == "pytorch" else backend)
    kept = tmp_path / "kept"

    def train(name):
        arguments = ("--backend", backend, "--recipe", "scratch", "--results", tmp_path / name)
        answer = command("run", tiny(), *arguments, MANYSEEDS_COMPILED=str(kept))
        assert answer.status == 0, answer.err
        (plan,) = (tmp_path / name).glob("*/plan.json")
        return Ledger.open(plan.parent).records().drop(columns=VOLATILE)

    first = train("first")
    programs = [path for path in kept.rglob("*") if path.is_file() and path.stat().st_size > 64]
    assert programs
    for path in programs:
        content = path.read_bytes()
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert train("second").equals(first)
