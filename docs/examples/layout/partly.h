struct run_part {
	union {
		__u64 a;
#ifdef __KVM_S390
		__u32 b;
#endif
	};
};

struct steal {
	__u64 steal;
	__u32 version : 31, valid : 1;
	__u8  preempted;
	__u8  pad[3];
};
