"""A finding as a Python file, which is a program and a pytest test: it replays the schedule on a simulated machine."""

from __future__ import annotations

from workbench.checking.failures import FAILURES
from workbench.measure.exploration.finding_replay import RecordedFinding

TEMPLATE = '''"""{code} {name}: {protocol} under {event}.

{what}

Made by the explorer; run it with Python, or with pytest. It fails when this no longer happens.
"""

from workbench.measure.exploration.finding_replay import RecordedFinding

RECORDED = RecordedFinding(
    protocol={protocol!r},
    event={event!r},
    features={features!r},
    vcpus={vcpus!r},
    updates={updates!r},
    reads={reads!r},
    property={code!r},
    turns=[
{turns}
    ],
)


def test_{function}():
    assert RECORDED.happens()


if __name__ == "__main__":
    print(RECORDED.report())
'''


def as_program(recorded: RecordedFinding) -> str:
    """Return the text of the Python file."""
    failure = FAILURES[recorded.property]
    turns = "\n".join(f"        ({actor!r}, {step!r})," for actor, step in recorded.turns)
    return TEMPLATE.format(
        code=failure.code,
        name=failure.name,
        what=failure.what,
        protocol=recorded.protocol,
        event=recorded.event,
        features=tuple(recorded.features),
        vcpus=recorded.vcpus,
        updates=recorded.updates,
        reads=recorded.reads,
        turns=turns,
        function=f"{failure.name}_under_{recorded.event}".replace("-", "_"),
    )
