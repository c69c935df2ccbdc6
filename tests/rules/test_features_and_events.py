"""The text of features and events from files is checked, too; those that ship keep the rules."""

import pytest

from workbench import features, lifecycle
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.rules import source
from workbench.errors import AuthorError

FEATURE = """
from workbench.design import U64, Feature, Get, Load, Store, area, struct


class Mine(Feature):
    name = "mine_of_rules"
    title = "a number"
    payload = struct("struct mine { __u64 n; };")
    size = 8
    update_when = "entry"

    def prepare(self, gpa):
        yield Store(gpa, bytes(8))

    def update(self, cpu, gpa, now):
        yield Store(gpa, now.ns, U64)

    def read(self, gpa):
        return (yield Load(gpa, U64))
"""

EVENT = """
from workbench.design import AfterBoot, Init, Pause, Resume


class Twice(AfterBoot):
    name = "init-of-rules"
    title = "INIT while stopped"

    def happen(self, scenario):
        yield Pause()
        yield Resume()
        yield Init(0)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("yield Store(gpa, bytes(8))", "yield Store(gpa, 0, U64); Store(gpa, 1, U64)", "Store(gpa, 1, U64) is made"),
        ("yield Store(gpa, now.ns, U64)", "self.n = now.ns; yield Store(gpa, self.n, U64)", "changes self.n"),
        ("return (yield Load(gpa, U64))", "return (yield Get(area(0, 'mine_of_rules')))", "a guest program"),
    ],
)  # fmt: skip
def test_a_slip_in_a_feature_is_told(tmp_path, right, wrong, told):
    file = tmp_path / "mine.py"
    file.write_text(FEATURE)
    assert features.choose([str(file)])[0].name == "mine_of_rules"
    assert FEATURE.count(right) == 1
    other = tmp_path / "other.py"
    other.write_text(FEATURE.replace(right, wrong))
    with pytest.raises(AuthorError) as error:
        features.choose([str(other)])
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("yield Pause()", "Pause()", "Twice.happen: Pause() is made and not yielded"),
        ("yield Init(0)", "self.done = True; yield Init(0)", "Twice.happen: changes self.done"),
        ("yield Init(0)", "cpus = [0]; yield Init(cpus[0])", "Twice.happen: the local cpus = [0]"),
    ],
)
def test_a_slip_in_an_event_is_told(tmp_path, right, wrong, told):
    file = tmp_path / "twice.py"
    file.write_text(EVENT)
    assert lifecycle.choose([str(file)])[0].name == "init-of-rules"
    other = tmp_path / "other.py"
    other.write_text(EVENT.replace(right, wrong))
    with pytest.raises(AuthorError) as error:
        lifecycle.choose([str(other)])
    assert told in str(error.value)


def subclasses(kind):
    return [
        one for own in kind.__subclasses__() for one in (own, *subclasses(own)) if own.__module__.startswith("workb")
    ]


def test_the_features_and_events_that_ship_keep_the_rules():
    kinds = {*subclasses(Feature), *subclasses(Event)}
    assert len(kinds) > 40
    assert [text for kind in kinds for own in kind.__mro__[:-2] for text in source.complaints(kind, own)] == []
