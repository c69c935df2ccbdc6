"""The memory that a search may take by default: the least of the machine's, of control groups' and of rlimits."""

import resource
import subprocess
import sys

import pytest

from workbench.measure.exploration import memory_limit

V2 = "30 23 0:26 {top} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
OTHER = "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n36 25 0:1 / / rw - ext4 /dev/vda rw\n"
NAMES = {V2: ("sys/fs/cgroup", "memory.max"), V1: ("sys/fs/cgroup/memory", "memory.limit_in_bytes")}


def system(tmp_path, mount, group, limits, top="/"):
    """Lay out what Linux shows of one hierarchy; return the limits that are found there."""
    (tmp_path / "proc/self").mkdir(parents=True)
    number, controllers = ("0", "") if mount is V2 else ("4", "memory")
    (tmp_path / "proc/self/cgroup").write_text(f"9:blkio:/elsewhere\n{number}:{controllers}:{group}\n")
    (tmp_path / "proc/self/mountinfo").write_text(OTHER + mount.format(top=top))
    folder, name = NAMES[mount]
    for inside, text in limits.items():
        (tmp_path / folder / inside).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / inside / name).write_text(f"{text}\n")
    return sorted(memory_limit.limits_of_groups(tmp_path))


@pytest.mark.parametrize("mount", [V1, V2])
def test_the_own_group_and_all_above_limit(tmp_path, mount):
    limits = {"": 9000, "a": 100, "a/b": 300, "a/b/c": "max", "a/other": 5, "elsewhere": 1}
    assert system(tmp_path, mount, "/a/b/c", limits) == [100, 300, 9000]


@pytest.mark.parametrize("mount", [V1, V2])
def test_in_a_container_the_mount_shows_a_group_as_its_root(tmp_path, mount):
    assert system(tmp_path, mount, "/docker/1f/x", {"": 700, "x": 900}, top="/docker/1f") == [700, 900]


def test_a_group_that_the_mount_does_not_show_has_the_limit_of_its_root(tmp_path):
    assert system(tmp_path, V2, "/../beside", {"": 700}, top="/mine") == [700]


def test_without_groups_nothing_is_found(tmp_path):
    assert list(memory_limit.limits_of_groups(tmp_path)) == []


def test_the_least_counts(monkeypatch):
    monkeypatch.setattr(memory_limit, "machines_memory", lambda: iter([8000]))
    monkeypatch.setattr(memory_limit, "limits_of_groups", lambda: iter([6000, 9000]))
    monkeypatch.setattr(memory_limit, "limits_of_process", lambda: iter([]))
    assert memory_limit.half_of_memory() == 3000
    monkeypatch.setattr(memory_limit, "limits_of_process", lambda: iter([0, 4000]))
    assert memory_limit.half_of_memory() == 1, "nothing is left: the search ends at once, and says so"


def test_no_limit_is_no_limit(monkeypatch):
    for name in ("machines_memory", "limits_of_groups", "limits_of_process"):
        monkeypatch.setattr(memory_limit, name, lambda: iter([]))
    assert memory_limit.half_of_memory() is None


@pytest.mark.parametrize("limit", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_what_is_left_of_a_limit_of_the_process(limit):
    program = (
        "import resource\nfrom workbench.measure.exploration import memory_limit\n"
        f"resource.setrlimit({limit}, (6 << 30, 6 << 30))\nprint(*memory_limit.limits_of_process())\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (left,) = map(int, found.stdout.split())
    assert 3 << 30 < left < 6 << 30
