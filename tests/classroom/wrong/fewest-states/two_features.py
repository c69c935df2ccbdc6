# shows: the fault was found, but this model has 5
answer = {"event": "cpu-unplug", "features": ["pv_eoi", "steal_time"], "vcpus": 2, "property": "stray-write"}
