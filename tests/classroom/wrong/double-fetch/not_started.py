# shows: step 6: vcpu1 has nothing to do; now may step: vcpu0 (KVM: load
answer = ["vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu0", "vcpu1", "vcpu0"]
