"""Hypothesis strategies for small random models: rules, parts, programs that branch and loop, properties."""

from hypothesis import strategies as st

from workbench.engines.explore import BLOCKED, Model, Program, Property, Rule, Symmetry

VARIABLES = ("a", "b", "c", "d")
VALUES = st.integers(0, 2)
NAMES = st.sampled_from(VARIABLES)
GUARDS = st.lists(st.tuples(NAMES, VALUES), max_size=2)
# (target, source or None, number): target = (source + number) % 3
WRITES = st.lists(st.tuples(NAMES, st.one_of(st.none(), NAMES), VALUES), max_size=3)
RULES = st.lists(st.tuples(GUARDS, WRITES, st.booleans()), max_size=4)
STEPS = st.one_of(
    st.tuples(st.just("read"), NAMES),
    st.tuples(st.just("write"), NAMES, VALUES),
    st.tuples(st.just("await"), NAMES, VALUES),
    st.tuples(st.just("copy"), NAMES, NAMES),
    st.tuples(st.sampled_from(["start", "stop"]), st.integers(0, 1)),
)
# after each step: where to go when the answer is 0 and where otherwise (modulo length, beyond the end: end)
PROGRAMS = st.lists(st.tuples(STEPS, st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=4)


def write(view, target, source, number):
    """One assignment; also used as a part."""
    view[target] = ((0 if source is None else view[source]) + number) % 3


def make_rule(name, guards, writes, in_parts):
    """A guarded rule; its writes as parts (each variable once) if asked for."""

    def rule(view):
        if any(view[var] != value for var, value in guards):
            return False
        for target, source, number in {item[0]: item for item in writes}.values():
            if in_parts:
                view.part(write, target, source, number)
            else:
                write(view, target, source, number)
        return None

    return Rule(name, rule)


def make_program(name, lines):
    """A program that interprets its lines."""

    def run():
        at = 0
        while at < len(lines):
            step, if_zero, otherwise = lines[at]
            answer = yield step
            at = otherwise if answer else if_zero

    return Program(name, run)


def semantics(slot, step, view):
    """Steps of the random programs."""
    kind = step[0]
    if kind == "read":
        return view[step[1]]
    if kind == "await":
        return None if view[step[1]] == step[2] else BLOCKED
    if kind == "copy":
        view[step[1]] = view[step[2]]
        return int(view.idle("s1"))
    if kind == "write":
        view[step[1]] = step[2]
        return None
    other = f"s{step[1]}"
    if kind == "start":
        view.start(other, f"p{step[1]}")
    elif view.label(other) is None or view.label(other)[0] != "await":
        view.stop(other)
    return None


def _property(code, kind, conditions):
    return Property(
        code,
        code,
        kind,
        lambda view: (
            any(view[var] != value for var, value in conditions)
            if kind == "always"
            else all(view[var] == value for var, value in conditions)
        ),
    )


@st.composite
def models(draw):
    """A model with up to two slots; some variables appear only when they are first used."""
    declared = draw(st.sets(NAMES))
    programs = draw(st.lists(PROGRAMS, max_size=2))
    made = {f"p{number}": make_program(f"p{number}", lines) for number, lines in enumerate(programs)}
    for number in range(2):
        made.setdefault(f"p{number}", make_program(f"p{number}", [(("read", "a"), 9, 9)]))
    conditions = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3)
    kinds = st.tuples(st.sampled_from(["always", "sometimes"]), conditions)
    properties = draw(st.lists(kinds, max_size=3))
    return Model(
        variables=dict.fromkeys(sorted(declared), 0),
        rules=[make_rule(f"r{number}", *rule) for number, rule in enumerate(draw(RULES))],
        slots={f"s{number}": f"p{number}" if number < len(programs) else None for number in range(2)},
        programs=made,
        semantics=semantics,
        properties=[_property(f"P{number}", *item) for number, item in enumerate(properties)],
        default=lambda var: 0,
    )


def _swap(value, mapping):
    return mapping.get(value, value) if isinstance(value, str) else value


@st.composite
def symmetric_models(draw):
    """Two or three members with the same rules on their own variables, shared ones, and an owner."""
    members = tuple(f"m{number}" for number in range(draw(st.integers(2, 3))))
    guards = st.lists(st.tuples(st.sampled_from(["own", "other", "shared"]), VALUES), max_size=2)
    writes = st.lists(st.tuples(st.sampled_from(["own", "other", "shared"]), VALUES), min_size=1, max_size=2)
    described = draw(st.lists(st.tuples(guards, writes, st.booleans(), st.booleans()), min_size=1, max_size=3))

    def variable(name, member):
        return name if name == "shared" else (name, member)

    def make(number, member, guards, writes, needs_owner, takes):
        def rule(view):
            if any(view[variable(name, member)] != value for name, value in guards):
                return False
            if needs_owner and view["owner"] not in (None, member):
                return False
            for name, value in writes:
                view[variable(name, member)] = (view[variable(name, member)] + value) % 3
            if takes:
                view["owner"] = member if view["owner"] is None else None
            return None

        return Rule(f"{number} {member}", rule)

    rules = [make(number, member, *item) for number, item in enumerate(described) for member in members]
    variables = {(name, member): 0 for name in ("own", "other") for member in members}
    limit = draw(VALUES)
    properties = [
        Property("A", "few", "always", lambda view: sum(view["own", m] == 2 for m in members) <= limit),
        Property("S", "owned", "sometimes", lambda view: view["owner"] is not None and view["shared"] == limit),
    ]
    symmetry = Symmetry(
        members,
        lambda var, mapping: (var[0], mapping[var[1]]) if isinstance(var, tuple) else var,
        value=lambda var, value, mapping: _swap(value, mapping) if var == "owner" else value,
    )
    return Model(
        {**variables, "shared": 0, "owner": None},
        rules,
        properties=properties,
        symmetry=[symmetry],
        ending=lambda view: view["shared"] != 1,
    )
