"""The table of bad input: for each command, what follows it on the command line, and words of the line on stderr."""

from tests.hostile.files import CONTENTS
from tests.house.imports import ROOT

_ENDS = {"jsonl": "replay {}", "json": "compare --vcpus 1 --events boot --cost-model {}", "h": "layout {}",
         "py": "compare --vcpus 1 --events boot --protocols {}"}  # fmt: skip
_NO_FILE = {
    "folder": "a directory, not a file", "pipe": "a pipe, not a file", "zero": "a device, not a file",
    "null": "a device, not a file", "kernel": "a view of the kernel", "long": "longer than 64 MiB",
}  # fmt: skip

#: (command line, words that the line on stderr has), status 2
CASES = [(line.format(f"{name}.{end}"), words) for end, line in _ENDS.items() for name, words in _NO_FILE.items()]
CASES += [
    (line.format(f"{name}.{end}"), words) for end, line in _ENDS.items() if end != "py"
    for name, words in {"gone": "No such file", "circle": "symbolic links", "n" * 300: "File name too long"}.items()
]  # fmt: skip

CASES += [(f"replay {name}", words) for name, words in {
    "deep.jsonl": "nested too deeply", "deep-object.jsonl": "nested too deeply",
    "twice.jsonl": 'jsonl:1: the key "op" stands twice', "twice-inside.jsonl": 'the key "value" stands twice',
    "nan.jsonl": "NaN is not JSON", "infinite.jsonl": "-1e999 is too large",
    "digits.jsonl": "5000 digits", "digits-text.jsonl": "allowed: an integer", "fraction.jsonl": "1.5 is not allowed",
    "negative.jsonl": "-1 is not allowed", "many.jsonl": "1000000000000 is not allowed", "nobody.jsonl": "0 is not",
    "huge.jsonl": "RAM below", "protocol.jsonl": "is not allowed", "latin1.jsonl": "byte 28 of the line is not UTF-8",
    "utf16.jsonl": "byte 1 of the line is not UTF-8", "nul.jsonl": "not JSON", "list.jsonl": "not an operation",
    "text.jsonl": "not JSON", "escape.jsonl": "unknown operation", "surrogate.jsonl": "unknown operation",
    "good.jsonl --engine abacus": "unknown engine 'abacus'", "good.jsonl --protocol nobody": "unknown protocol",
    "good.jsonl --features nothing": "unknown feature", "good.jsonl --format yaml": "known: text, json",
    "": "required: FILE", "--fromat json": "did you mean --format?",
}.items()]  # fmt: skip

CASES += [(f"compare --events boot --vcpus 1 --cost-model {name}", words) for name, words in {
    "twice.json": "stands twice", "nan.json": "NaN is not JSON", "infinite.json": "1e999 is too large",
    "digits.json": "5000 digits", "negative.json": "allowed: cycles", "fraction.json": "1.5", "true.json": "True",
    "deep.json": "nested too deeply", "latin1.json": "byte 14 of line 1 is not UTF-8", "utf16.json": "not UTF-8",
    "nul.json": "NUL", "list.json": "is not a JSON object", "empty.json": "not JSON", "part.json": "lacks",
    "netsed-2019": "unknown cost model", "../cost_models/x": "unknown cost model",
}.items()]  # fmt: skip

CASES += [(f"layout {name}", words) for name, words in {
    "empty.h": "", "latin1.h": "byte 30 of line 1 is not UTF-8", "second-line.h": "byte 7 of line 2 is not UTF-8",
    "utf16.h": "not UTF-8", "nul.h": "is NUL", "deep.h": "", "parentheses.h": "", "digits.h": "5000 digits",
    "shift.h": "", "divide.h": "", "minus.h": "", "endless.h": "", "binary.h": "", "good.h --struct none": "none",
    "good.h --format csv": "known: text, json", "": "takes either FILE", "--diff good.h good.h": "is no patch",
    "good.h --array 0": "0 elements", "good.h --array x": "--array", "--diff good.h": "--diff",
    "good.h --define 1": "is no macro", "good.h --include nowhere": "is not there", "good.h --diff a b": "takes either",
}.items()]  # fmt: skip

_LOADED = {
    "syntax.py": "SyntaxError", "nul.py": "null bytes", "latin1.py": "utf-8", "cookie.py": "klingon",
    "deep.py": "does not load", "empty.py": "it defines: none", "recursion.py": "RecursionError",
    "exit.py": "SystemExit: 0 (exit.py:2)", "interrupt.py": "KeyboardInterrupt (interrupt.py:1)",
    "generator.py": "GeneratorExit (generator.py:1)", "memory.py": "MemoryError (memory.py:1)",
    "system.py": "SystemExit: done (system.py:1)", "group.py": "BaseExceptionGroup", "stop.py": "StopIteration",
    "hangup.py": "BrokenPipeError (hangup.py:1)", "mute.py": "Mute: its text cannot be had",
    "bell.py": "\\x1b[31m\\x07", "library.py": "(library.py:2)", "absent.py": "no_such_module", "sum.py": "does not",
}  # fmt: skip
_WITH_A_FILE = [
    "compare --vcpus 1 --protocols {}", "compare --vcpus 1 --features {}", "compare --vcpus 1 --events {}",
    "explore {}", "matrix --jobs 1 --protocols {}", "list --protocols {}", "check {}", "export dot {}",
    "crosscheck {}", "replay good.jsonl --protocol {}", "report kept --no-notebooks --protocols {}",
]  # fmt: skip
#: Every file in one command, and in every command some files.
CASES += [(_WITH_A_FILE[0].format(name), words) for name, words in _LOADED.items()]
CASES += [
    (line.format(name), _LOADED[name]) for line in _WITH_A_FILE[1:] for name in ("exit.py", "interrupt.py", "bell.py")
]

_HUGE = "9" * 5000
_COMMANDS = {  # command -> a line that works but for what is added
    "compare": "compare --events boot", "explore": "explore null --events boot", "matrix": "matrix --events boot",
    "crosscheck": "crosscheck null --events boot", "export": "export dot null", "report": "report new --no-notebooks",
    "kvm": "kvm --events boot",
}  # fmt: skip
CASES += [
    (f"{line} --vcpus {number}", words) for line in _COMMANDS.values()
    for number, words in {"0": "out of range", "-1": "out of range", "1e3": "not a whole number", "nan": "not a whole",
                          "999999": "out of range", _HUGE: "5000 digits"}.items()
]  # fmt: skip
CASES += [
    (f"{line} {option}", words) for line in _COMMANDS.values()
    for option, words in {"--protokols x": "did you mean --protocols", "--events kexek": "did you mean kexec,",
                          "--features steel_time": "did you mean steal_time"}.items()
    if not ("protokols" in option and line.split()[0] in ("explore", "export"))
]  # fmt: skip
CASES += [
    ("compare --seed 1.5", "not a whole number"), (f"compare --seed {_HUGE}", "5000 digits"),
    ("compare --seed \u0661", "not a whole number"), ("compare --metrics wrmsr_exist", "did you mean wrmsr_exits,"),
    ("compare --events boot+", "event"), ("compare --events +", "event"), ("compare --events a.py:", "does not exist"),
    ("compare --events ,", "no name given"), ("compare --protocols generic+", "mitigation"),
    ("compare --protocols generic+x+x", "no mitigation 'x'"), ("compare --protocols \x1b[31m", "\\x1b[31m"),
    ("compare --protocols \u202egeneric", "\\u202egeneric"), ("compare --protocols \udcff", "\\udcff"),
    ("compare --protocols ../../x", "unknown protocol"), ("compare --protocols /dev/null", "unknown protocol"),
    ("explore null --max-states 0", "out of range"), ("explore null --max-states -5", "out of range"),
    ("explore null --max-memory 0", "out of range"), ("explore null --max-memory x", "not a whole number"),
    ("explore null --updates 17", "allowed: 0 to 16"), ("explore null --reads -1", "allowed: 0 to 16"),
    ("explore null --property F99", "unknown property"), ("explore null --mitigations x", "no mitigation"),
    ("explore null --trace film", "known: diagram"), ("explore", "required: PROTOCOL"),
    ("matrix --jobs 0", "allowed: 1 to 256"), ("matrix --jobs 257", "allowed: 1 to 256"),
    ("history --bug B99", "B99"), ("history --bug ''", "no name"), ("history --format yaml", "known: text"),
    ("export pdf null", "known: promela, dot, graphml"), ("export dot", "required: PROTOCOL"),
    ("list --format yaml", "known: text"),
    ("fuzz", "--yes-this-fuzzes-the-kernel"), ("fuzz --seconds nan", "above 0"), ("fuzz --seconds -1", "above 0"),
    ("fuzz --seconds inf", "above 0"), ("fuzz --length 19", "allowed: 20 to"), ("fuzz --jobs 0", "allowed: 1 to 256"),
    ("new ../evil", "is no name for a design"), ("new /etc/passwd", "is no name"), ("new .", "is no name"),
    ("new class", "is no name"), ("new generic", "one that ships"), ("new ''", "is no name"),
    (f"new {'a' * 300}", "is no name for a design"), ("new mine --style smoke", "unknown value 'smoke'"),
    ("new mine --folder no/such", "does not exist"), ("new mine --folder old.txt", "does not exist"),
    ("report", "required: DIR"), ("report old.txt --no-notebooks --vcpus 1 --events boot", "File exists"),
    ("report /dev/null/x --no-notebooks --vcpus 1 --events boot", "Not a directory"),
    ("post --about exist", "did you mean exits?"), ("post --about ','", "no name"),
    ("post --reply-to good.h", "is no mail"),
    ("post --reply-to none.eml", "No such file"), ("post --reply-to /dev/zero", "a device"),
    ("post --quote 1", "--reply-to"),
    ("post --reply-to .", "a directory"), ("post --vcpus 4097", "allowed: 1 to 4096"), ("post --attach x", "--subject"),
    ("post --subject x --attach y", "unknown attachment"), ("post --known F99", "unknown property"),
    ("post --about 'trace F99:boot'", "unknown property"), ("post --about 'trace F01'", "expected FAILURE:EVENT"),
    ("hardware --protocols nul", "did you mean null?"), ("hardware --features x", "unknown feature"),
    ("skew --protocols nul", "did you mean null?"), ("skew --features x", "unknown feature"),
    ("skew --about bot", "did you mean boot?"), ("skew --trace new/new", "names no combination"),
    ("skew --trace new/new/new --format csv", "no table"), ("skew --trace new/new/new --about boot", "--about"),
    ("skew --vcpus 9", "allowed: 1 to 8"), (f"skew --trace {'a/' * 300}", "names no combination"),
    ("verdict nul", "did you mean null?"), ("verdict null --features x", "unknown feature"),
    ("verdict null --why boot", "DESIGN:COLUMN"), ("verdict null --why null:bot", "did you mean boot?"),
    ("verdict null --weigh exit=1", "did you mean exits?"), ("verdict null --weigh exits=0", "above 0"),
    ("verdict null --events noon", "unknown event"), ("verdict --why nul:boot", "did you mean null?"),
    ("grade", "required: FILE"), ("grade none.ipynb", "does not exist"),
    ("grade good.h --exercises x", "unknown exercise"),
    ("app --port 70000", "allowed: 0 to 65535"), ("app --port x", "not a whole number"),
    ("app --host ''", "names no address"),
    ("page", "required"), ("page poster", "poster"), ("", "required: COMMAND"), ("kvn", "did you mean kvm?"),
    ("app --port -1", "allowed: 0 to 65535"), ("post --reply-to pipe.h", "a pipe"), ("post --jobs 0", "allowed: 1 to"),
    ("post --about 'trace F01:x'", "unknown event 'x'"),
    ("page operation null --what dance", "unknown operation"), ("page operation null --feature x", "unknown feature"),
    ("page registers --write NOPE=1", "unknown register"), ("page registers --write STEAL_TIME", "REGISTER=VALUE"),
    (f"page registers --write STEAL_TIME={_HUGE}", "not a register's value"),
    ("page registers --write STEAL_TIME=1 --cpuid-bits 99", "not a CPUID bit"),
    ("report new --size poster", "known: print, screen, projector"),
    ("--frob", ""), ("list extra words", "unrecognized arguments"), ("calibrate --relase x", "did you mean --release?"),
]  # fmt: skip

#: What --output can be given in vain, for every command that has it.
_OUTPUTS = {
    "no/such/x.txt": "no directory", ".": "a directory", "folder.py": "a directory", "kept.txt": "read-only",
    "old.txt/x": "ot a directory", "''": "a directory", "/dev/full/x": "ot a directory", "n" * 300: "too long",
}  # fmt: skip
WITH_OUTPUT = [
    "compare --vcpus 1 --events boot", "explore null", "matrix --events boot", "history --bug B1", "list", "check null",
    "layout good.h", "replay good.jsonl", "crosscheck null", "export dot null", "kvm --probe", "calibrate",
    "fuzz --yes-this-fuzzes-the-kernel --ops 1", "page compare",
    "post --about exits --vcpus 1 --events boot", "hardware --protocols null",
    "skew --protocols null --about boot",
    f"grade {ROOT}/notebooks/exercises/01-read-a-trace.ipynb", "verdict null --events boot --features steal_time",
]  # fmt: skip
CASES += [(f"{line} -o {place}", words) for line in WITH_OUTPUT for place, words in _OUTPUTS.items()]

assert set(_LOADED) <= set(CONTENTS)
