# shows: generic, kexec: predicted 13, and the run counted 25 exits
answer = {
    "generic": {"boot": 13, "kexec": 13, "migrate": 0},
    "per_feature": {"boot": 17, "kexec": 17, "migrate": 0},
}
