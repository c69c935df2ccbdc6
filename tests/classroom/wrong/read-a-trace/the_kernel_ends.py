# shows: step 15 (the kernel is gone from vCPU 0) gives no memory to anybody
answer = {"given_away": 15, "wrong": 20}
