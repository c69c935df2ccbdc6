/* The descriptor of the 2011 proposal, with the padding it names. */
struct kvm_memory_area {
	__u64 base;
	__u32 size;
	__u32 type;
	__u8  result;
	__u8  pad[3];
};
