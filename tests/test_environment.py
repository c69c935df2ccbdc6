"""environment.yml and pyproject.toml ask for the same packages with the same bounds."""

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


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
