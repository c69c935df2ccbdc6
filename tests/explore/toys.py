"""Small models with known numbers of states, used by several test files."""

from workbench.engines.explore import BLOCKED, Model, Program, Property, Rule, Symmetry


def shared_memory(slot, step, view):
    """Steps are tuples: ("read", var), ("write", var, value), ("await", var, value), ("both", a, b)."""
    kind = step[0]
    if kind == "read":
        return view[step[1]]
    if kind == "write":
        view[step[1]] = step[2]
        return None
    if kind == "await":
        return None if view[step[1]] == step[2] else BLOCKED
    if kind == "take":
        if view[step[1]] is not None:
            return BLOCKED
        view[step[1]] = slot
        return None
    if kind == "any-of":
        return None if any(view[var] == value for var, value in step[1:]) else BLOCKED
    raise AssertionError(step)


def program_model(programs, variables, properties=(), **more):
    """One slot per program, called s0, s1, ..."""
    made = {f"p{number}": Program(f"p{number}", make) for number, make in enumerate(programs)}
    slots = {f"s{number}": f"p{number}" for number in range(len(programs))}
    return Model(
        variables=variables,
        slots=slots,
        programs=made,
        semantics=shared_memory,
        properties=properties,
        **more,
    )


def counter(workers, lock):
    """Each worker reads n and writes n + 1; without a lock an update can be lost."""

    def work():
        if lock:
            yield ("take", "lock")
        seen = yield ("read", "n")
        yield ("write", "n", seen + 1)
        if lock:
            yield ("write", "lock", None)

    def none_lost(view):
        return view["n"] == workers or not all(view.idle(f"s{number}") for number in range(workers))

    return program_model(
        [work] * workers, {"n": 0, "lock": None}, [Property("N", "no update is lost", "always", none_lost)]
    )


def peterson(set_turn_first=False):
    """Peterson's lock for two; with the first two writes swapped it no longer excludes."""

    def make(me, other):
        def run():
            while True:
                first, second = ("write", f"want{me}", True), ("write", "turn", other)
                yield second if set_turn_first else first
                yield first if set_turn_first else second
                yield ("any-of", (f"want{other}", False), ("turn", me))
                yield ("write", f"in{me}", True)
                yield ("write", f"in{me}", False)
                yield ("write", f"want{me}", False)

        return run

    return program_model(
        [make(0, 1), make(1, 0)],
        {"want0": False, "want1": False, "turn": 0, "in0": False, "in1": False},
        [
            Property("MUTEX", "never both inside", "always", lambda view: not (view["in0"] and view["in1"])),
            Property("ENTER", "the second gets in", "sometimes", lambda view: view["in1"]),
        ],
    )


def _coordinator_receives(name):
    def rule(view):
        if view["tm"] != "init" or ("prepared", name) not in view["messages"]:
            return False
        view["tm_prepared"] |= {name}
        return None

    return Rule(f"tm receives {name}", rule)


def _coordinator_decides(decision, message, names):
    def rule(view):
        if view["tm"] != "init" or (decision == "committed" and view["tm_prepared"] != names):
            return False
        view["tm"] = decision
        view["messages"] |= {message}
        return None

    return Rule(f"tm {decision}", rule)


def _manager(name, wanted, after, message):
    def rule(view):
        if wanted is not None and view[name] != wanted:
            return False
        if message is not None and message not in view["messages"]:
            return False
        view[name] = after
        if after == "prepared":
            view["messages"] |= {("prepared", name)}
        return None

    return Rule(f"{name} {after} on {message}", rule)


def _rename_messages(var, value, mapping):
    if not isinstance(value, frozenset):
        return value
    return frozenset(
        ("prepared", mapping[item[1]]) if isinstance(item, tuple) else mapping.get(item, item) for item in value
    )


def two_phase_commit(managers):
    """Two-phase commit as in the TLA+ examples (Gray and Lamport): 288 states for 3 managers."""
    names = [f"rm{number}" for number in range(managers)]
    everyone = frozenset(names)
    rules = [
        _coordinator_decides("committed", "commit", everyone),
        _coordinator_decides("aborted", "abort", everyone),
    ]
    for name in names:
        rules += [
            _coordinator_receives(name),
            _manager(name, "working", "prepared", None),
            _manager(name, "working", "aborted", None),
            _manager(name, None, "committed", "commit"),
            _manager(name, None, "aborted", "abort"),
        ]

    def consistent(view):
        return not {"committed", "aborted"} <= {view[name] for name in names}

    def all_commit(view):
        return all(view[name] == "committed" for name in names)

    return Model(
        {
            **dict.fromkeys(names, "working"),
            "tm": "init",
            "tm_prepared": frozenset(),
            "messages": frozenset(),
        },
        rules,
        ending=lambda view: True,
        properties=[
            Property("C", "nobody commits while another aborts", "always", consistent),
            Property("S", "all commit", "sometimes", all_commit),
        ],
        symmetry=[
            Symmetry(tuple(names), lambda var, mapping: mapping.get(var, var), value=_rename_messages),
        ],
    )


def diamond():
    """Two independent rules: four states, four transitions."""

    def raise_flag(name):
        def rule(view):
            if view[name]:
                return False
            view[name] = True
            return None

        return Rule(name, rule)

    return Model({"a": False, "b": False}, [raise_flag("a"), raise_flag("b")])


def philosophers(count, left_handed=False):
    """Each takes two forks, one after the other; the last may take them in the other order."""

    def make(number):
        forks = [f"fork{number}", f"fork{(number + 1) % count}"]
        if left_handed and number == count - 1:
            forks.reverse()

        def run():
            yield ("take", forks[0])
            yield ("take", forks[1])
            yield ("write", forks[0], None)
            yield ("write", forks[1], None)

        return run

    return program_model([make(number) for number in range(count)], {f"fork{number}": None for number in range(count)})
