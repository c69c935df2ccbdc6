# shows: lost-registration was not found under boot
answer = {"event": "boot", "features": ["pv_eoi"], "vcpus": 2, "property": "lost-registration"}
