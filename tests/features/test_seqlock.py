"""The version field: odd whenever the payload is incomplete, and no reader accepts an incomplete payload."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clayout.layout import U32
from workbench.core.memory import GuestMemory
from workbench.core.steps import GUEST, Load, Store
from workbench.features import FEATURES, seqlock

from .stepping import GPA, Stepper, in_guest, moment, on_host, world

# name: where its version is, and the bytes that the version guards (not `preempted`, which it does not guard).
GUARDED = {
    "kvmclock": (0, slice(4, 32)),
    "wall_clock": (0, slice(4, 12)),
    "steal_time": (8, slice(0, 8)),
}
VERSIONS = [0, 1, 2, 7, 0xFFFF_FFFE, 0xFFFF_FFFF]
features = pytest.mark.parametrize("name", GUARDED)


def area_with(name, version):
    """Return the bytes of a zeroed area whose version is ``version``."""
    data = bytearray(FEATURES[name].size)
    offset = GUARDED[name][0]
    data[offset : offset + 4] = version.to_bytes(4, "little")
    return bytes(data)


def look(machine, name):
    """Return (version, guarded bytes) as they are in memory."""
    offset, guarded = GUARDED[name]
    data = machine.memory.load(GPA, FEATURES[name].size)
    return int.from_bytes(data[offset : offset + 4], "little"), data[guarded]


@features
@pytest.mark.parametrize("version", VERSIONS)
def test_between_any_two_steps_an_even_version_means_a_whole_payload(name, version):
    machine = world(area_with(name, version))
    before = look(machine, name)
    writer = Stepper(machine, FEATURES[name].update(0, GPA, moment(5_000)))
    seen = []
    while writer.step():
        seen.append(look(machine, name))
    after = look(machine, name)
    assert after[1] != before[1]
    first_odd = next(index for index, (v, _) in enumerate(seen) if v % 2 and v != version)
    assert all(v % 2 for v, _ in seen[first_odd:-1]), "odd from the first change to the last"
    for seen_version, payload in seen[first_odd:]:
        assert seen_version % 2 or payload == after[1]
    assert all(payload == before[1] for _, payload in seen[: first_odd + 1]), "odd before anything changes"


@features
@pytest.mark.parametrize("version", VERSIONS)
def test_an_even_version_advances_by_two_and_an_odd_one_by_three(name, version):
    machine = world(area_with(name, version))
    on_host(machine, FEATURES[name].update(0, GPA, moment(5_000)))
    assert look(machine, name)[0] == (version + (3 if version % 2 else 2)) % (1 << 32)


@features
def test_a_reader_takes_nothing_while_the_host_updates(name):
    machine = world(area_with(name, 0))
    writer = Stepper(machine, FEATURES[name].update(0, GPA, moment(5_000)))
    answers = []
    while writer.step():
        version, _ = look(machine, name)
        answers.append((version % 2, in_guest(machine, FEATURES[name].read(GPA))))
    assert any(odd for odd, _ in answers)
    assert all((taken is None) == bool(odd) for odd, taken in answers)


@features
@settings(max_examples=200)
@given(turns=st.lists(st.booleans(), max_size=80), start=st.sampled_from(VERSIONS))
def test_a_reader_never_returns_a_torn_payload(name, turns, start):
    """A writer and a reader run repeatedly and interleaved; ``turns`` says which of them takes the next step."""
    feature, (offset, guarded) = FEATURES[name], GUARDED[name]
    machine = world(area_with(name, start))
    whole = [] if start % 2 else [look(machine, name)]  # what stood there under an even version, in order
    writers = (Stepper(machine, feature.update(0, GPA, moment(1_000 * n))) for n in range(1, 100))
    writer, reader, since = next(writers), Stepper(machine, feature.read(GPA), GUEST), 0
    for writes in turns:
        if writes:
            if not writer.step():
                whole.append(look(machine, name))
                writer = next(writers)
        elif not reader.step():
            if reader.result is not None:
                data = reader.result.pack()
                taken = int.from_bytes(data[offset : offset + 4], "little"), data[guarded]
                # The last update may have written its last byte and not yet have ended.
                assert taken in [*whole[since:], look(machine, name)]
                assert taken[0] % 2 == 0
            reader, since = Stepper(machine, feature.read(GPA), GUEST), max(len(whole) - 1, 0)


def test_a_reader_that_ignores_the_version_does_take_torn_payloads():
    """The control of the test above: without the version, a reader can see a half-written payload."""
    machine = world(area_with("kvmclock", 0))
    writer = Stepper(machine, FEATURES["kvmclock"].update(0, GPA, moment(1_000)))
    naive = [look(machine, "kvmclock")[1]]
    while writer.step():
        naive.append(look(machine, "kvmclock")[1])
    assert set(naive) - {naive[0], naive[-1]}


def test_a_reader_gives_up_after_its_attempts():
    machine = world(area_with("kvmclock", 1))
    reader = Stepper(machine, FEATURES["kvmclock"].read(GPA), GUEST)
    steps = sum(1 for _ in iter(reader.step, False))
    assert (reader.result, steps) == (None, seqlock.READ_ATTEMPTS)


def test_a_reader_tries_again_when_the_version_changed_under_it():
    machine = world(area_with("wall_clock", 2))
    reader = Stepper(machine, FEATURES["wall_clock"].read(GPA), GUEST)
    reader.step()  # the version
    on_host(machine, FEATURES["wall_clock"].update(0, GPA, moment(9_000)))
    taken = reader.finish()
    assert taken.version == 4
    assert taken == in_guest(machine, FEATURES["wall_clock"].read(GPA))


@pytest.mark.parametrize("name", FEATURES)
def test_an_area_the_host_cannot_reach_is_left_alone(name):
    feature = FEATURES[name]
    for prepare in (make_unbacked, make_readonly, make_private):
        machine, gpa = prepare(area_with_any(feature))
        before = {slot.gpa: machine.memory.load(slot.gpa, slot.size) for slot in machine.memory.slots}
        on_host(machine, feature.update(0, gpa, moment(5_000)))
        assert {slot.gpa: machine.memory.load(slot.gpa, slot.size) for slot in machine.memory.slots} == before


def area_with_any(feature):
    return bytes(range(1, feature.size + 1))


def make_unbacked(content):
    return world(content), 0x9000


def make_readonly(content):
    machine = world(content)
    machine.memory.set_readonly(0, True)
    return machine, GPA


def make_private(content):
    machine = world()
    machine.memory = GuestMemory(encrypted=True)
    machine.memory.add(0, 0x2000)
    machine.memory.store(GPA, content)
    return machine, GPA


def test_begin_says_whether_the_area_can_be_reached():
    assert on_host(world(), seqlock.begin(0x9000)) is None
    machine = world()
    assert on_host(machine, seqlock.begin(GPA)) == 1
    on_host(machine, seqlock.end(GPA, 1))
    assert Stepper(machine, iter_once(Load(GPA, U32))).finish() == 2


def iter_once(step):
    return (yield step)


def test_a_writer_that_never_ends_keeps_the_reader_out():
    """A host that dies between begin and end leaves an odd version, and no reader ever accepts the payload again."""
    machine = world(area_with("steal_time", 0))
    on_host(machine, seqlock.begin(GPA + 8))
    on_host(machine, iter_once(Store(GPA, b"halfdone")))
    assert in_guest(machine, FEATURES["steal_time"].read(GPA)) is None
