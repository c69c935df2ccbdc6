# shows: step 25 (store 2 (u64) at 0x101040) is not the first
answer = {"given_away": 16, "wrong": 25}
