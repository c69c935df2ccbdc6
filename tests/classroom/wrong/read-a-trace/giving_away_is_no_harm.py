# shows: after step 16 (kernel 0's memory
answer = {"given_away": 16, "wrong": 16}
