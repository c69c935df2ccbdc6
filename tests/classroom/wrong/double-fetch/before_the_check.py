# shows: the host read the descriptor in steps 6, 8, and vCPU 1 changed it in step 2
answer = ["event", "vcpu1", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0"]
