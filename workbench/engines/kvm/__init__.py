"""The real KVM: guest code on real vCPUs under /dev/kvm, by ctypes, mmap and struct alone.

The only place in this project with ioctls. ``probe`` says whether it can run here and what this KVM is;
``guest`` executes steps; ``state`` saves and restores; ``engine`` runs lifecycle events. Without /dev/kvm
everything still imports.
"""
