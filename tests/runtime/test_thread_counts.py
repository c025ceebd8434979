"""How many threads: what is asked for, the CPUs, the quotas of cgroups."""

import os

import numpy as np
import pytest

from fastrec.errors import InputError
from fastrec.runtime import threads
from fastrec.runtime.threads import available_cpus, resolve_threads


def test_available_cpus_are_within_those_of_the_machine():
    assert 1 <= available_cpus() <= os.cpu_count()


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quota_of(root, membership=""):
    """Return the quota of a process whose membership file has this text."""
    write(root / "membership", membership)
    return threads._cgroup_quota(root, root / "membership")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150000 100000\n", 1.5),
        ("max 100000\n", None),
        ("nonsense\n", None),
        ("-1 100000", None),
        ("1 0", None),
        ("", None),
    ],
)
def test_quota_of_cgroup_version_2(tmp_path, text, expected):
    write(tmp_path / "cpu.max", text)
    assert quota_of(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("50000", 0.5), ("-1", None), ("", None)])
def test_quota_of_cgroup_version_1(tmp_path, quota, expected):
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", quota)
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000")
    assert quota_of(tmp_path) == expected


def test_half_a_quota_of_version_1_is_none(tmp_path):
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "50000")
    assert quota_of(tmp_path) is None


def test_no_cgroups_are_no_quota(tmp_path):
    assert threads._cgroup_quota(tmp_path / "none", tmp_path / "none either") is None


@pytest.mark.parametrize(
    "membership", ["0::/slice/service\n", "12:pids:/a\n4:cpu,cpuacct:/b\n0::/slice/service\n"]
)
def test_the_quota_is_that_of_the_own_cgroup(tmp_path, membership):
    write(tmp_path / "slice" / "service" / "cpu.max", "50000 100000")
    write(tmp_path / "slice" / "other" / "cpu.max", "10000 100000")
    assert quota_of(tmp_path, membership) == 0.5


def test_the_quota_of_a_cgroup_above_counts_too(tmp_path):
    write(tmp_path / "slice" / "cpu.max", "200000 100000")
    write(tmp_path / "slice" / "service" / "cpu.max", "300000 100000")
    assert quota_of(tmp_path, "0::/slice/service\n") == 2.0


def test_the_own_cgroup_of_version_1_is_that_of_the_cpu_controller(tmp_path):
    for name, quota in (("right", "150000"), ("wrong", "50000")):
        write(tmp_path / "cpu" / name / "cpu.cfs_quota_us", quota)
        write(tmp_path / "cpu" / name / "cpu.cfs_period_us", "100000")
    assert quota_of(tmp_path, "3:memory:/wrong\n4:cpu,cpuacct:/right\n") == 1.5


@pytest.mark.parametrize("path", ["/../..", "/not/here", ""])
def test_a_path_outside_the_container_leaves_what_is_mounted(tmp_path, path):
    write(tmp_path / "mount" / "cpu.max", "100000 100000")
    write(tmp_path / "cpu.max", "10000 100000")  # outside
    assert quota_of(tmp_path / "mount", f"0::{path}\n") == 1.0


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.5, 2), (1e9, None), (None, None)])
def test_a_quota_is_rounded_up_and_never_adds_cpus(monkeypatch, quota, expected):
    monkeypatch.setattr(threads, "_process_quota", lambda: None)
    without = available_cpus()
    monkeypatch.setattr(threads, "_process_quota", lambda: quota)
    assert available_cpus() == min(without, expected or without)


@pytest.mark.parametrize("count", [1, 3, np.int64(5)])
def test_threads_are_taken_as_given(count):
    assert resolve_threads(count) == count


def test_threads_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FASTREC_THREADS", "7")
    assert resolve_threads() == 7
    assert resolve_threads(2) == 2


def test_an_empty_environment_takes_the_cpus(monkeypatch):
    monkeypatch.setenv("FASTREC_THREADS", " ")
    assert resolve_threads() == available_cpus()


@pytest.mark.parametrize("count", [0, -1, 1.0, "2", True])
def test_threads_are_a_whole_number(count):
    with pytest.raises(InputError, match="threads must be a whole number from 1 to 4096"):
        resolve_threads(count)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", "\u0660"])
def test_threads_of_the_environment_are_a_whole_number(monkeypatch, text):
    monkeypatch.setenv("FASTREC_THREADS", text)
    with pytest.raises(InputError, match="environment variable FASTREC_THREADS"):
        resolve_threads()
