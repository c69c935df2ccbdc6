# shows: area(0, 'steal_time') is gone, but it is derived
answer = {
    "protocol": "generic",
    "event": "migrate",
    "feature": "steal_time",
    "entry": "area(0, 'steal_time')"
}
