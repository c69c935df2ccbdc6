# shows: lost-registration was not found under kexec, in 257 states (all there are)
answer = {"event": "kexec", "features": ["pv_eoi"], "vcpus": 1, "property": "lost-registration"}
