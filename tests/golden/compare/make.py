"""Write the golden comparison anew: ``python tests/golden/compare/make.py`` (then read the difference)."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from workbench.cli import main

HERE = Path(__file__).resolve().parent
COMMAND = (
    "compare --vcpus 2 --protocols generic,per_feature --events boot,kexec-no-teardown,migrate "
    "--cost-model kvm-unit-tests-2012 --seed 7 "
    # Not the accesses to memory: how often a host reads a version is its business, and no format's.
    "--metrics exits,wrmsr_exits,kernel_exits,user_exits,fate,areas,areas_stale,areas_lost,state_entries,"
    "state_bytes,state_new_interfaces,guest_memory_bytes,descriptor_bytes,shared_pages,cost_cycles"
).split()
FORMATS = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md"}


def output(form: str) -> str:
    """Return what the command prints in one format."""
    text = StringIO()
    with redirect_stdout(text):
        assert main([*COMMAND, "--format", form]) == 0
    return text.getvalue()


if __name__ == "__main__":
    for name, suffix in FORMATS.items():
        (HERE / f"compare.{suffix}").write_text(output(name), encoding="ascii")
