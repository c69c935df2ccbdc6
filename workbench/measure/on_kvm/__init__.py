"""What a real KVM did, in tidy tables and measured files, and whether the simulator agrees."""
