"""Progress messages: what a message says; tests/durable/test_efforts.py has what is said to be left."""

from types import SimpleNamespace

from workbench.durable.efforts import Efforts
from workbench.present.progress import Progress


def test_a_search_is_told_with_what_it_is_about(capsys):
    say = Progress(patience=0).searches(Efforts())
    task = SimpleNamespace(variant=SimpleNamespace(label="generic"), event=SimpleNamespace(name="boot"), size="1 vCPU")
    say(1, 2, task)
    assert capsys.readouterr().err == "workbench: 1 of 2: generic under boot, 1 vCPU\n"
