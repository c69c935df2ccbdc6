"""Runs guest code on real vCPUs under /dev/kvm, using only ctypes, mmap and struct.

The only package of this project that issues ioctls. ``probe`` says whether KVM can be used here and what it offers;
``guest`` executes steps; ``state`` saves and restores; ``engine`` runs lifecycle events. Without /dev/kvm
everything still imports.
"""
