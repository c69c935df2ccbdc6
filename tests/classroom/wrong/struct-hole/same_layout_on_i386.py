# shows: on i386 offsetof(base) is 4, and the answer says 8
answer = {
    "x86_64": {
        "version": 0,
        "base": 8,
        "size": 16,
        "flags": 20,
        "sizeof": 24
    },
    "i386": {
        "version": 0,
        "base": 8,
        "size": 16,
        "flags": 20,
        "sizeof": 24
    },
    "hole": {
        "after": "version",
        "bytes": 7
    },
    "repaired": "struct pv_report { __u64 base; __u32 size; __u16 flags; __u8 version; __u8 pad; };"
}
