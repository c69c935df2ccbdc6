"""The engines that run protocols: simulate, explore, kvm. None imports another."""
