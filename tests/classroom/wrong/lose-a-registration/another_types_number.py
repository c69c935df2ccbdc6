# shows: the host had no entry registry(0, 1) before the move
answer = {"protocol": "generic", "event": "migrate", "feature": "steal_time", "entry": "registry(0, 1)"}
