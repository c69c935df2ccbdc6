# shows: no step of kexec moves the machine to another host
answer = {"protocol": "generic", "event": "kexec", "feature": "steal_time", "entry": "registry(0, 5)"}
