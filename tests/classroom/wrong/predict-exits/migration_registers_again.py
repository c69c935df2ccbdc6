# shows: generic, migrate: predicted 13, and the run counted 0 exits
answer = {
    "generic": {"boot": 13, "kexec": 25, "migrate": 13},
    "per_feature": {"boot": 17, "kexec": 29, "migrate": 17},
}
