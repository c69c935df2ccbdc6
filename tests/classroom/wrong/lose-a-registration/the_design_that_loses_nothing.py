# shows: after migrate the host still serves steal_time of vCPU 0, at 0x101000
answer = {
    "protocol": "per_feature",
    "event": "migrate",
    "feature": "steal_time",
    "entry": "register(0, 0x4b564d03)"
}
