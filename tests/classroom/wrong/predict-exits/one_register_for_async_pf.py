# shows: per_feature, boot: predicted 13, and the run counted 17 exits (1 more of 6 differs)
answer = {
    "generic": {"boot": 13, "kexec": 25, "migrate": 0},
    "per_feature": {"boot": 13, "kexec": 25, "migrate": 0},
}
