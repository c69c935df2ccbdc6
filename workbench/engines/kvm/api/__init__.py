"""The interface of /dev/kvm as Python objects: ioctls, VM, vCPU, memslots, exits, CPUID, statistics."""
