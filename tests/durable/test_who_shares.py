"""Every command whose work can be shared out takes a cluster, by the same options; or it is listed here, and why."""

import argparse

import pytest

from workbench.cli import parser

#: Commands with --state, whose work is in independent pieces, that take no cluster, and why.
ON_ONE_MACHINE = {
    "kvm": "it tells what this host's KVM does, and says so in every line",
    "report": "its runs take seconds; its notebooks are run as by a reader, in kernels of this machine",
    "compare": "its runs take milliseconds each, less than a process takes to start",
}
WHO = ("--jobs", "--scheduler", "--cluster")


def commands(of: argparse.ArgumentParser) -> dict[str, set[str]]:
    """Return the options of every command that has no commands of its own, by its whole name."""
    below = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        return {of.prog.partition(" ")[2]: {name for action in of._actions for name in action.option_strings}}
    return {name: told for one in below[0].choices.values() for name, told in commands(one).items()}


OPTIONS = commands(parser())


@pytest.mark.parametrize("name", [name for name, options in OPTIONS.items() if options & {"--state", *WHO}])
def test_work_in_pieces_can_go_to_a_cluster(name):
    assert OPTIONS[name].issuperset(WHO) != (name in ON_ONE_MACHINE)
    assert OPTIONS[name].isdisjoint(WHO) == (name in ON_ONE_MACHINE)


def test_the_list_names_commands_only():
    assert ON_ONE_MACHINE.keys() <= OPTIONS.keys()
    assert {"explore", "page matrix", "page verdict", "fuzz"} <= OPTIONS.keys()
