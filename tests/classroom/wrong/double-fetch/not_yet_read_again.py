# shows: the host read the descriptor in step 4, and vCPU 1 changed it in step 7
answer = ["vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "event", "vcpu1"]
