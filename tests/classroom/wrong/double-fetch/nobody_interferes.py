# shows: the host read the descriptor in steps 4, 6, and vCPU 1 never changed it
answer = [
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0",
    "vcpu0"
]
