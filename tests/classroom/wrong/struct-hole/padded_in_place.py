# shows: on x86-64 the compiler still adds 2 bytes of padding, at offset 22
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
        "base": 4,
        "size": 12,
        "flags": 16,
        "sizeof": 20
    },
    "hole": {
        "after": "version",
        "bytes": 7
    },
    "repaired": "struct pv_report { __u8 version; __u8 pad[7]; __u64 base; __u32 size; __u16 flags; };"
}
