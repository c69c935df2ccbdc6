# shows: generic, boot: predicted 16, and the run counted 13 exits
answer = {
    "generic": {"boot": 16, "kexec": 32, "migrate": 0},
    "per_feature": {"boot": 20, "kexec": 36, "migrate": 0},
}
