"""Slips of the text and of declarations, each with what must be told; and what looks like one and is right."""

REGISTER = "outcome = yield Wrmsr(MSR, gpa | 1)"
KEEP = "yield Set(register(cpu.index, MSR), value or None)"
AREA = 'yield Set(area(cpu.index, "steal_time"), gpa if value & 1 else None)'
BEGIN = "        gpa = value & ~63\n"
HELPER = f"""    def keep(self, cpu, value):
        {KEEP}

    def on_wrmsr("""
SAVE = """    def save(self, cpus):
        saved = []
        for cpu in cpus:
            saved.append((cpu.index, (yield Get(register(cpu.index, MSR)))))
        return saved

    def on_wrmsr("""

#: (changes, the piece that marks the line, method or None for the class, part of the rule, what to write)
SLIPS = {
    "a step not yielded": (
        [("yield Wrmsr(MSR, gpa | 1)", "Wrmsr(MSR, gpa | 1)")],
        "outcome = W",
        "register",
        "made and not yielded",
        "write (yield Wrmsr(MSR, gpa | 1))",
    ),
    "a step as a statement": (
        [("yield Wrmsr(MSR, 0)", "Wrmsr(MSR, 0)")],
        "MSR, 0)",
        "unregister",
        "not yielded",
        "write",
    ),
    "a step in a condition": (
        [("(yield Backed(gpa, 64))", "Backed(gpa, 64)")],
        "not Backed",
        "on_wrmsr",
        "not yielded",
        "write (yield Backed(gpa, 64))",
    ),
    "a step that is counted": (
        [(KEEP, "n = len(Load(gpa, 8))")],
        "len(",
        "on_wrmsr",
        "not yielded",
        "write (yield Load",
    ),
    "a step in a name nobody yields": (
        [(KEEP, "step = Load(gpa, 8)\n        if step: pass")],
        "step = L",
        "on_wrmsr",
        "not yielded",
        "write (yield Load(gpa, 8))",
    ),
    "a generator nothing runs": (
        [(KEEP, "self.keep(cpu, value)"), ("    def on_wrmsr(", HELPER)],
        "self.keep",
        "on_wrmsr",
        "a generator that nothing runs",
        "write (yield from self.keep(cpu, value))",
    ),
    "a generator in a condition": (
        [(KEEP, "if self.keep(cpu, value): pass"), ("    def on_wrmsr(", HELPER)],
        "self.keep",
        "on_wrmsr",
        "nothing runs",
        "yield from",
    ),
    "a generator yielded": (
        [(KEEP, "yield self.keep(cpu, value)"), ("    def on_wrmsr(", HELPER)],
        "self.keep",
        "on_wrmsr",
        "yields a generator, which is no step",
        "write yield from self.keep",
    ),
    "the default not run": (
        [
            (
                "    def on_wrmsr(",
                "    def on_entry(self, cpu):\n        super().on_entry(cpu)\n        yield "
                "from ()\n\n    def on_wrmsr(",
            )
        ],
        "super()",
        "on_entry",
        "nothing runs",
        "yield from super()",
    ),
    "yield from a step": (
        [("yield Wrmsr(MSR, 0)", "yield from Wrmsr(MSR, 0)")],
        "yield from",
        "unregister",
        "yields the fields of the step",
        "write yield Wrmsr(MSR, 0)",
    ),
    "a host's step of the guest": (
        [("yield Wrmsr(MSR, 0)", "yield Set(register(0, MSR), None)")],
        "yield Set(register(0",
        "unregister",
        "a step of host handlers only",
        "let a Wrmsr",
    ),
    "an errno": ([("return FAULT", "return -22")], "-22", "on_wrmsr", "returns -22", "HANDLED, FAULT or UNKNOWN"),
    "a list in a local": (
        [(BEGIN, BEGIN + "        names = [1, 2]\n")],
        "names",
        "on_wrmsr",
        "the local names = [1, 2]",
        "start with names = ()",
    ),
    "a dict in a local of a loop": (
        [
            (
                BEGIN,
                BEGIN + "        for one in (1, 2):\n            yield Get(register(0, one))\n            seen = {}\n",
            )
        ],
        "seen",
        "on_wrmsr",
        "the local seen = {}",
        "seen = ()",
    ),
    "a list saved": ([("    def on_wrmsr(", SAVE)], "saved = []", "save", "the local saved = []", "saved += (item,)"),
    "an attribute": ([(KEEP, "self.held = value")], "self.held", "on_wrmsr", "changes self.held", "Set(registry("),
    "an attribute's item": (
        [(KEEP, "self.held[0] = value")],
        "self.held",
        "on_wrmsr",
        "changes self.held",
        "Set(registry(",
    ),
    "an attribute's method": (
        [(KEEP, "self.held.append(value)")],
        "self.held",
        "on_wrmsr",
        "changes self.held",
        "Set(",
    ),
    "an attribute of the class": (
        [(KEEP, "type(self).held = value")],
        ".held",
        "on_wrmsr",
        "changes type(self).held",
        "Set(",
    ),
    "an attribute by the class's name": (
        [(KEEP, "Mine.held = value")],
        ".held",
        "on_wrmsr",
        "changes Mine.held",
        "Set(",
    ),
    "a global": (
        [("MSR = 0", "SEEN = []\nMSR = 0"), (KEEP, "SEEN.append(value)")],
        "SEEN.append",
        "on_wrmsr",
        "changes SEEN",
        "Set(registry(",
    ),
    "a global rebound": (
        [("MSR = 0", "SEEN = 1\nMSR = 0"), (KEEP, "global SEEN\n        SEEN += 1")],
        "SEEN +=",
        "on_wrmsr",
        "changes SEEN",
        "Set(registry(",
    ),
    "an iterator of the module": (
        [("MSR = 0", "import itertools\nIDS = itertools.count()\nMSR = 0"), (KEEP, "n = next(IDS)")],
        "next(IDS)",
        "on_wrmsr",
        "changes IDS",
        "Set(registry(",
    ),
    "a random number": (
        [
            (
                REGISTER,
                "import random\n        if random.random() < 0.5:\n            return REFUSED\n        " + REGISTER,
            )
        ],
        "random.random()",
        "register",
        "another answer at each run",
        "zlib.crc32",
    ),
    "the time": (
        [("MSR = 0", "import time\nMSR = 0"), (KEEP, "now = time.time()")],
        "time.time()",
        "on_wrmsr",
        "another answer at each run",
        "Now for the time",
    ),
    "a hash": ([(KEEP, "kind = hash('steal_time')")], "hash(", "on_wrmsr", "another answer at each run", "zlib.crc32"),
    "no such feature": (
        [('area(cpu.index, "steal_time")', 'area(cpu.index, "steal-time")')],
        "steal-time",
        "on_wrmsr",
        "names no feature",
        "write 'steal_time'",
    ),
    "no such feature, by a constant": (
        [('area(cpu.index, "steal_time")', "area(cpu.index, WHAT)"), ("MSR = 0", 'WHAT = "stealtime"\nMSR = 0')],
        "area(cpu.index, W",
        "on_wrmsr",
        "names no feature",
        "write 'steal_time'",
    ),
    "no descriptor": (
        [(REGISTER, "yield Store(cpu.descriptor, b'12345678')\n        " + REGISTER)],
        "cpu.descriptor",
        "register",
        "has no descriptor",
        "write descriptor = struct(",
    ),
    "no name": ([('    name = "mine"\n', "")], "class Mine", None, "has no name", 'write name = "my_design"'),
    "no title": ([('    title = "one register"\n', "")], "class Mine", None, "has no title", "write title ="),
    "no msrs": (
        [("    msrs = frozenset({MSR})\n", "")],
        "def on_wrmsr",
        "on_wrmsr",
        "msrs is empty",
        "frozenset({MSR})",
    ),
    "a set of msrs": ([("frozenset({MSR})", "{MSR}")], "msrs =", None, "msrs is {1263947040}", "frozenset({MSR})"),
    "a number for msrs": ([("frozenset({MSR})", "MSR")], "msrs =", None, "msrs is 1263947040", "frozenset({MSR})"),
    "texts for msrs": (
        [("frozenset({MSR})", "frozenset({'MSR'})")],
        "msrs =",
        None,
        "msrs is frozenset({'MSR'})",
        "({MSR})",
    ),
    "no handler": ([("def on_wrmsr", "def on_wrmrs")], "msrs =", None, "has no on_wrmsr", "perhaps on_wrmrs was meant"),
    "no register": (
        [("def register(", "def regsiter(")],
        "class Mine",
        None,
        "has no register",
        "perhaps regsiter was meant",
    ),
    "another optional method": (
        [("def unregister(", "def unregster(")],
        "def unregster",
        "unregster",
        "nothing that the workbench asks for",
        "write unregister",
    ),
    "another attribute": (
        [("    title =", "    mitigation_known = {}\n    title =")],
        "mitigation_known",
        None,
        "nothing that the workbench asks for",
        "write mitigations_known",
    ),
    "other arguments": (
        [(", *, host_initiated=False", "")],
        "def on_wrmsr",
        "on_wrmsr",
        "called with other arguments",
        "write def on_wrmsr(self, cpu, msr, value, *, host_initiated=False)",
    ),
    "too few arguments": (
        [("def register(self, cpu, feature, gpa)", "def register(self, cpu, gpa)")],
        "def register",
        "register",
        "called with other arguments",
        "write def register(self, cpu, feature, gpa)",
    ),
    "a list of mitigations": (
        [("    title =", '    mitigations_known = ["foo"]\n    title =')],
        "mitigations_known",
        None,
        "mitigations_known is ['foo']",
        "write mitigations_known = {",
    ),
    "a state of tuples": (
        [("    def on_wrmsr(", "    def state(self, entries, cpus):\n        return [('x', 1)]\n\n    def on_wrmsr(")],
        "('x', 1)",
        "state",
        "returns [('x', 1)]",
        "a list of StateEntry",
    ),
    "calls without a handler": (
        [("    title =", "    hypercalls = frozenset({5})\n    title =")],
        "hypercalls",
        None,
        "has no on_hypercall",
        "write def on_hypercall(self, cpu, number, arguments)",
    ),
}


RIGHT = {
    "a step kept for later": [(REGISTER, "step = Wrmsr(MSR, gpa | 1)\n        outcome = yield step")],
    "steps in a loop": [(KEEP, "for step in (Set(register(cpu.index, MSR), value or None),):\n            yield step")],
    "a step by condition": [(KEEP, "yield (Set(register(0, MSR), 1) if value else Set(register(0, MSR), None))")],
    "a generator returned": [(REGISTER, "return self.ask(gpa)\n\n    def ask(self, gpa):\n        " + REGISTER)],
    "a generator kept for later": [
        (KEEP, "program = self.keep(cpu, value)\n        yield from program"),
        ("    def on_wrmsr(", HELPER),
    ],
    "a list that no step sees": [(BEGIN, BEGIN + "        names = [1]\n        names = tuple(names)\n")],
    "a list after the last step": [(AREA, AREA + "\n        done = [1]\n        assert done")],
    "an attribute set at construction": [
        (
            "    def supports",
            "    def __init__(self, features, mitigations=()):\n        "
            "super().__init__(features, mitigations)\n        self.held = [1]\n\n    def supports",
        )
    ],
}
