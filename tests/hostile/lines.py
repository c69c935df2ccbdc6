"""Quick lines of every command whose bytes are compared, and what of the command line is not compared, with the reason.

{root} is the checkout, {out} a folder of the run's own, {jobs} the number of processes.
"""

_LIBRARY = "{root}/tests/replay/library/steal-time.jsonl"
_NO_CLOCK = "{root}/tests/replay/library/poll-control.jsonl"  # a page shows what KVM wrote, clock readings too
_FUZZ = "fuzz --yes-this-fuzzes-the-kernel --length 60 --jobs {jobs} --out {out}/found"

#: What they need -> lines. "measures": a file of measurements, which is compared without its times.
LINES = {
    "": [
        "list", "list --format json", "list --format markdown", "list --format csv",
        "layout {root}/docs/examples/kvm_memory_area.h --format json",
        "compare --vcpus 3 --events boot,migrate", "compare --vcpus 2 --events boot,kexec --format json",
        "compare --vcpus 2 --events boot --format csv", "compare --vcpus 2 --events boot --cost-model nested-2019",
        "compare --vcpus 2 --events boot --format markdown", "compare --vcpus 2 --events migrate --state {out}/runs",
        "explore generic --events migrate", "explore generic --events descriptor-race --trace table --format json",
        "explore generic --events descriptor-race --trace replay", "explore generic --events boot --trace none",
        "explore generic --events descriptor-race --trace diagram",
        "explore generic --events boot --format csv",
        "history --bug B4 --jobs {jobs}", "explore null --events boot --jobs {jobs}",
        "history --bug B4 --format markdown", "history --bug B4 --format json",
        "history --bug B4 --format csv", "export promela generic", "export dot null", "export graphml null",
        f"replay {_LIBRARY}", f"replay {_LIBRARY} --format json", f"replay {_LIBRARY} --engine sim",
        "matrix --events boot --features steal_time --format json --jobs {jobs}",
        "matrix --events boot --protocols null --format csv --jobs {jobs} --state {out}/searches",
        "page compare --vcpus 1 --events boot", "page matrix --events boot --protocols null --jobs {jobs}",
        "page matrix --events boot --protocols generic --features steal_time --jobs {jobs} --state {out}/page",
        "page trace generic --events descriptor-race --property double-fetch", f"page replay {_LIBRARY} --engine sim",
        "post --about exits,state,hardware,skew --protocols null --vcpus 2 --events boot",
        "hardware", "hardware --protocols null --format json", "hardware --protocols null --format csv",
        "skew --about move,size", "skew --protocols null --about boot --format json",
        "skew --protocols null --about cpuid --format csv", "page skew --protocols null --about size",
        "page verdict null generic --events boot --features pv_eoi --jobs {jobs}",
        "verdict null --events boot,kexec --features pv_eoi --weigh exits --jobs {jobs}",
        "verdict null --events boot --features pv_eoi --format json --jobs {jobs}",
        "verdict null --events boot --features pv_eoi --format csv --state {out}/verdict",
        "skew --trace new/new/new+old/new --features steal_time",
        "page operation generic --feature kvmclock", "page registers", "page registers --write STEAL_TIME=0x1001",
        "check {root}/tests/protocols/data/third.py:RegisterArray",
        *(f"new my_{style} --folder {{out}} --style {style}"
          for style in ("msr", "descriptor", "hypercall", "indexed", "device")),
    ],
    # Those that take longest: compared by the slow test alone.
    "long": ["page measured", "page slides", "explore per_feature --events boot --symmetry --vcpus 2",
             "matrix --events boot,migrate --protocols null --mitigations all --jobs {jobs}",
             "grade {root}/notebooks/exercises/01-read-a-trace.ipynb --jobs {jobs}",
             *(f"grade {{root}}/notebooks/solutions --exercises read-a-trace --format {form} --jobs {{jobs}}"
               for form in ("json", "csv", "markdown"))],
    "columns": ["layout {root}/docs/examples/kvm_memory_area.h"],  # as wide as COLUMNS says, which is then the same
    "time": ["post --about exits,state,failures,verdict,trace --vcpus 2 --events boot,migrate --jobs {jobs}",
             "report {out}/report --vcpus 2 --events boot,kexec --protocols null,generic --no-notebooks",
             "report {out}/print --vcpus 1 --events boot --protocols null --no-notebooks --size print",
             "report {out}/wall --vcpus 1 --events boot --protocols null --no-notebooks --size projector"],
    "kvm": [
        "kvm --probe", "kvm --vcpus 1 --protocols generic --events boot",
        *(f"kvm --vcpus 2 --events boot,kexec --format {form}" for form in ("text", "json", "csv", "markdown")),
        f"replay {_LIBRARY} --engine kvm", f"page replay {_NO_CLOCK} --engine kvm",
        f"{_FUZZ} --ops 300", f"{_FUZZ} --ops 200 --protocol null",
    ],
    "spin": [
        "crosscheck null --events boot --vcpus 1 --jobs {jobs}", "crosscheck null --events boot --vcpus 1 --format csv",
        "crosscheck null --events migrate --vcpus 1 --format json",
    ],
    "measures": ["calibrate -o {out}/here.json --release here"],
}  # fmt: skip

#: Options whose result is of this moment; all others must not change with the surroundings.
NOT_COMPARED = {
    "app": "it serves until it is stopped; its answers are those of page, post and others",
    "explore --timing": "seconds, the memory of this process and the state of this machine are what it is asked for",
    "fuzz --seconds": "how many sequences run in so many seconds",
    "explore --partial": "what is known when Ctrl-C comes", "matrix --partial": "what is known when Ctrl-C comes",
}  # fmt: skip
