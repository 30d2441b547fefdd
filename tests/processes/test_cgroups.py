"""The limits of control groups, in copies of what Linux shows in containers and batch systems."""

import pytest

from manyseeds.processes.cgroups import cpu_limit, memory_left

GIB = 2**30


@pytest.fixture
def machine(tmp_path):
    """Write what /proc/self and the control groups show; return the folder of the former."""

    def write(groups, mounts, files):
        process = tmp_path / "process"
        process.mkdir()
        (process / "cgroup").write_text(groups)
        (process / "mountinfo").write_text(mounts.replace("AT", str(tmp_path)))
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        return process

    return write


V2 = "29 23 0:26 / AT/cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / AT/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / AT/memory rw - cgroup cgroup rw,memory\n"
)
NO_LIMIT = 9223372036854771712


def test_without_a_limit_there_is_none(machine, tmp_path):
    files = {"cg/a/memory.max": "max", "cg/a/memory.current": 7, "cg/a/cpu.max": "max 100000"}
    process = machine("0::/a\n", V2, files)
    assert memory_left(process) is None
    assert cpu_limit(process) is None
    assert memory_left(tmp_path / "not Linux") is None
    assert cpu_limit(tmp_path / "not Linux") is None


def test_version_2_in_a_container(machine):
    files = {
        "cg/memory.max": 4 * GIB,
        "cg/memory.current": 3 * GIB,
        "cg/memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file 9",
        "cg/cpu.max": "150000 100000",
    }
    process = machine("0::/\n", V2, files)
    assert memory_left(process) == 2 * GIB  # 4 - (3 - 1 of cached files)
    assert cpu_limit(process) == 1.5


def test_the_tightest_of_nested_groups_counts(machine):
    files = {
        "cg/slurm/job/step/memory.max": "max",
        "cg/slurm/job/memory.max": 8 * GIB,
        "cg/slurm/job/memory.current": 1 * GIB,
        "cg/slurm/memory.max": 64 * GIB,
        "cg/slurm/memory.current": 60 * GIB,
        "cg/slurm/job/cpu.max": "400000 100000",
        "cg/slurm/cpu.max": "200000 100000",
    }
    process = machine("0::/slurm/job/step\n", V2, files)
    assert memory_left(process) == 4 * GIB
    assert cpu_limit(process) == 2


def test_a_limit_at_which_the_system_brakes_counts_too(machine):
    files = {
        "cg/memory.max": 4 * GIB,
        "cg/memory.high": 3 * GIB,
        "cg/memory.current": GIB,
    }
    assert memory_left(machine("0::/\n", V2, files)) == 2 * GIB


def test_version_1_nested(machine):
    files = {
        "memory/a/b/memory.limit_in_bytes": NO_LIMIT,
        "memory/a/b/memory.usage_in_bytes": GIB,
        "memory/a/memory.limit_in_bytes": 6 * GIB,
        "memory/a/memory.usage_in_bytes": 5 * GIB,
        "memory/a/memory.stat": f"inactive_file 0\ntotal_inactive_file {2 * GIB}",
        "memory/memory.limit_in_bytes": NO_LIMIT,
        "cpu/a/cpu.cfs_quota_us": 50000,
        "cpu/a/cpu.cfs_period_us": 100000,
        "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100000,
    }
    process = machine("4:memory:/a/b\n1:cpu,cpuacct:/a\n0::/\n", V1, files)
    assert memory_left(process) == 3 * GIB
    assert cpu_limit(process) == 0.5


def test_version_1_in_a_container_that_sees_the_path_of_the_host(machine):
    """The mount shows only the container's own group, whose path is that on the host."""
    mounts = "35 31 0:32 /docker/4f1d AT/memory ro - cgroup cgroup rw,memory\n"
    files = {"memory/memory.limit_in_bytes": 2 * GIB, "memory/memory.usage_in_bytes": GIB}
    assert memory_left(machine("4:memory:/docker/4f1d\n", mounts, files)) == GIB


def test_a_group_that_the_mount_does_not_show_counts_as_its_top(machine):
    files = {"cg/memory.max": 2 * GIB, "cg/memory.current": GIB}
    assert memory_left(machine("0::/../other\n", V2, files)) == GIB


def test_a_group_that_is_full_has_nothing_left_and_not_less(machine):
    files = {"cg/memory.max": GIB, "cg/memory.current": 2 * GIB}
    assert memory_left(machine("0::/\n", V2, files)) == 0
