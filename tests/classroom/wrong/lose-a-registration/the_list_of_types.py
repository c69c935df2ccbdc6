# shows: registry(0, 'types') was (5,), which does not say where the area is
answer = {
    "protocol": "generic",
    "event": "migrate",
    "feature": "steal_time",
    "entry": "registry(0, 'types')"
}
