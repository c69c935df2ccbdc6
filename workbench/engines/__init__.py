"""Engines run protocols: simulate, explore, kvm. They are siblings: none imports another."""
