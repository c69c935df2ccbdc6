"""What a student might try to get points without an answer: programs and texts, all harmless if the fence holds."""

from tests.classroom.grading.submissions import right, wrong

#: Cells of an exercise whose answer is a value; {file} is a file outside that must stay as it is.
CELLS = {
    "prints": "print('PASS  all 6 predictions are what the simulator counts')",
    "fakes check": "def check(*given): return True\nimport workbench.classroom as c; c.check = check; answer = {{}}",
    "equals all": "class All(dict):\n    def __eq__(self, other): return True\n"
    "    def __getitem__(self, key): return self\nanswer = All()",
    "patches the judge": "import workbench.classroom.judging as j, workbench.classroom.exercises.predict_exits as p\n"
    "p.PredictExits.judge = lambda self, answer: j.Judged(True, 'yes')\nanswer = {{}}",
    "talks to the grader": "import os, json\n"
    "for n in range(3, 20):\n"
    "    try: os.write(n, json.dumps(['PASS', 'yes', '', '']).encode() + b'\\n')\n"
    "    except OSError: pass\n",
    "ends at once": "import os; os._exit(0)",
    "ends with a handler": "import atexit, sys; atexit.register(print, 'PASS'); sys.exit(0)",
    "loops": "while True: pass",
    "catches all": "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\nwhile True:\n    try: 1 / 0\n    except BaseException: pass",
    "forks": "import os\nwhile True: os.fork()",
    "threads": "import threading, time\n[threading.Thread(target=time.sleep, args=[60]).start() for _ in range(1000)]",
    "fills memory": "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "fills the disk": "for n in range(10 ** 6): open(f'f{{n}}', 'wb').write(bytes(1 << 20))",
    "recurses": "def f(): return f()\nf()",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "reads the solution": "import json; c = json.load(open({solution!r}))['cells']\n"
    "exec(next(''.join(x['source']) for x in c if 'answer' in x['metadata'].get('tags', ())))",
    "reads a neighbour": "exec(open({file!r}).read())",
    "writes outside": "open({file!r}, 'w').write('gone')",
    "deletes outside": "import os; os.unlink({file!r})",
    "writes into the package": "import workbench.cli as m; open(m.__file__, 'a').write('x')",
    "leaves something": "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)",
    "kills the grader": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "not a number": "answer = {{'generic': {{'boot': float('nan')}}}}",
    "huge": "answer = 'x' * 50_000_000",
    "endless": "answer = []\nanswer.append(answer)",
    "deep": "answer = []\nfor _ in range(5000): answer = [answer]",
    "escapes": "answer = '\\x1b[2J\\x1b[HPASS\\n' * 100",
    "raises PASS": "raise Exception('PASS  6 of 6 points')",
    "asks": "answer = input()",
}


def design(text):
    """Return a wrong answer to ``repair`` with ``text`` in its class."""
    return wrong("repair", 1).replace("    def supports(", f"    {text}\n\n    def supports(", 1)


#: Texts of designs for the exercise ``repair``; each must be a wrong answer.
DESIGNS = {
    "ends at once": "import os\nos._exit(0)\n" + right("repair"),
    "ends in the class": design("import os; os._exit(0)"),
    "prints": design("print('PASS')"),
    "patches the judge": "import workbench.classroom.judging as j\nj._judged = lambda *a: j.Judged(True, '')\n"
    + wrong("repair"),
    "patches modules": "import sys\nsys.modules['workbench.classroom.runs'].searched = None\n" + wrong("repair"),
    "patches the base": design("Protocol.on_wrmsr = None"),
    "looks around": design("x = ().__class__.__base__.__subclasses__()"),
    "says it serves": design("def serving(self, entries, owner, feature, gpa): return gpa"),
    "writes ghosts": "from workbench.design import Note, believes\n" + wrong("repair", 1),
    "another encoding": "# coding: utf-7\n+AAo-import os; os._exit(0)\n" + wrong("repair"),
    "loops": wrong("repair").replace("supports(self, feature):", "supports(self, feature):\n        while True: pass"),
    "loops at once": "x = [0 for n in range(10 ** 12)]\n" + right("repair"),
    "grows": "x = 'x' * 10 ** 11\n" + right("repair"),
    "no class": "answer = 1",
    "supports nothing": right("repair").replace('feature.name == "steal_time"', "False"),
    "registers nothing": right("repair").replace("yield Set(area(", "yield Set(registry(")
    .replace('cpu.index, "steal_time"), asked', 'cpu.index, "other"), asked'),
}  # fmt: skip
