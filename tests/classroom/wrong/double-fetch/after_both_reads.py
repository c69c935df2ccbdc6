# shows: the host read the descriptor in steps 4, 6, and vCPU 1 changed it in step 9
answer = ["vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "event", "vcpu1", "vcpu0", "vcpu0"]
