# shows: the repaired struct has 4 bytes of version; the posted one has 1
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
    "repaired": "struct pv_report { __u64 base; __u32 size; __u32 flags; __u32 version; };"
}
