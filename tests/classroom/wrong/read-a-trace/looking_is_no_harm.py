# shows: after step 18 (get area steal_time of vCPU 0) the host has written to no memory but
answer = {"given_away": 16, "wrong": 18}
