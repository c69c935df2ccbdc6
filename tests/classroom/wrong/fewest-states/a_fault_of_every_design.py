# shows: stray-write occurs under kexec-no-teardown in the design without the fault too
answer = {"event": "kexec-no-teardown", "features": ["pv_eoi"], "vcpus": 1, "property": "stray-write"}
