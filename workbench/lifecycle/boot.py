"""Boot: the boot CPU, then the application CPUs, in Linux's order."""

from workbench.lifecycle.event import AtBoot


class Boot(AtBoot):
    """Linux 6.12 boots on a host that knows the protocol."""

    name = "boot"
    title = "boot"
    group = "kernels and CPUs come and go"
