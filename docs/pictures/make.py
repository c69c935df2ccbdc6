"""Draw the README's picture from a run: ``python docs/pictures/make.py``."""

from pathlib import Path

from workbench.measure import compare
from workbench.present.figures.figures import fates
from workbench.present.figures.images import png

EVENTS = [
    "boot",
    "kexec-no-teardown",
    "init-no-reregister",
    "migrate",
    "old-host",
    "ignore-msrs",
    "double-registration-crossing",
    "hostile-page-crossing",
    "i386-edge",
]

if __name__ == "__main__":
    table = compare(["generic", "generic+carry-registry", "per_feature"], events=EVENTS, vcpus=64)
    (Path(__file__).parent / "fates.png").write_bytes(png(fates(table)))
