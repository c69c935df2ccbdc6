"""environment.yml and pyproject.toml ask for the same packages with the same bounds; constraints.txt pins them all."""

import importlib.metadata
import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.house import audit, lock

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PINNED = [Requirement(line) for line in lock.LOCK.read_text().splitlines() if not line.startswith("#")]


def _bounds(lines: list[str]) -> dict[str, SpecifierSet]:
    return {r.name.lower(): r.specifier for r in map(Requirement, lines)}


def test_environment_and_project_agree():
    conda = _bounds([line for line in ENVIRONMENT["dependencies"] if isinstance(line, str) and line != "pip"])
    project = _bounds([f"python{PROJECT['requires-python']}", *PROJECT["dependencies"]])
    assert conda == project


def test_environment_installs_this_checkout_and_nothing_else_by_pip():
    assert [line for line in ENVIRONMENT["dependencies"] if isinstance(line, dict)] == [{"pip": ["-e ."]}]
    assert "pip" in ENVIRONMENT["dependencies"], "conda warns where pip is used without being asked for"


def test_environment_takes_its_channels_from_conda_forge_alone():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


def test_every_dependency_has_a_lower_bound_and_no_other():
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    for name, bounds in _bounds([*PROJECT["dependencies"], *extras]).items():
        assert [b.operator for b in bounds] == [">="], f"{name}{bounds}"


def test_the_lock_pins_one_version_of_each_package_in_order():
    for one in PINNED:
        assert [bound.operator for bound in one.specifier] == ["=="], one
        assert one.name == canonicalize_name(one.name)
    names = [str(one) for one in PINNED]
    assert names == sorted(names)
    assert len({one.name for one in PINNED}) == len(PINNED)


def test_the_lock_has_all_that_the_project_asks_for():
    versions = {one.name: next(iter(one.specifier)).version for one in PINNED}
    for wanted in map(Requirement, lock.asked(PYPROJECT)):
        name = canonicalize_name(wanted.name)
        assert name in versions, f"{wanted}: run make lock"
        assert versions[name] in wanted.specifier, f"{wanted}, but {name}=={versions[name]} is pinned: run make lock"


def test_what_is_installed_is_what_is_pinned():
    differ, builds = [], {Requirement(line).name for line in PYPROJECT["build-system"]["requires"]}
    for one in PINNED:
        try:
            version = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra that is not installed
        if one.name not in builds and version not in one.specifier:
            differ.append(f"{one.name} {version}, pinned{one.specifier}")
    told = f"not the versions that are pinned: {'; '.join(differ)}"
    if differ and "CI" not in os.environ:
        pytest.skip(told)
    assert not differ, told


def test_the_lock_is_what_pip_reports():
    packages = [{"metadata": {"name": name, "version": "1.0"}} for name in ("Zope_Interface", "b", "A.c")]
    written = lock.as_text({"install": packages, "pip_version": "26.1"})
    assert [line for line in written.splitlines() if not line.startswith("#")] == [
        "a-c==1.0", "b==1.0", "zope-interface==1.0",
    ]  # fmt: skip
    header = [line for line in lock.LOCK.read_text().splitlines() if line.startswith("#")]
    assert [re.sub(r"[0-9.]+", "N", line) for line in written.splitlines() if line.startswith("#")] == [
        re.sub(r"[0-9.]+", "N", line) for line in header
    ]
    assert f"Python {lock.oldest_python(PYPROJECT)}." in lock.LOCK.read_text()


FAULT = {"id": "PYSEC-1", "fix_versions": ["1.1"]}


@pytest.mark.parametrize(
    ("dependencies", "status", "told"),
    [([{"name": "a", "version": "1.0", "vulns": []}], 0, "audit: none known in 1 packages"),
     ([{"name": "a", "version": "1.0", "vulns": [FAULT]}], 1, "a 1.0: PYSEC-1, fixed in 1.1"),
     ([{"name": "a", "version": "1.0", "vulns": [FAULT]}, {"name": "b", "skip_reason": "gone"}], 2, "b: gone"),
     ([{"name": "b", "skip_reason": "not found"}], 2, "NOT DONE, the database told nothing of all 1: b: not found"),
     (None, 2, "audit: NOT DONE, nothing is known of these versions: no route to host")],
)  # fmt: skip
def test_an_audit_that_was_not_done_is_no_clean_one(dependencies, status, told):
    stdout = "" if dependencies is None else json.dumps({"dependencies": dependencies, "fixes": []})
    assert audit.report(stdout, "Traceback\nno route to host\n")[0] == status
    assert told in audit.report(stdout, "Traceback\nno route to host\n")[1]
