# shows: the fault was found, but this model has 15,539 states
answer = {"event": "cpu-unplug", "features": ["steal_time"], "vcpus": 2, "property": "lost-registration"}
