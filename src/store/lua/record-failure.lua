-- Pauses the refill of a template whose provisions keep failing: 5 s, doubled at each failure in a row, 5 min at most.
-- KEYS[1] refill_pause:<template>
-- Returns the length of the pause (ms)
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local pause = math.min(300000, 5000 * 2 ^ math.min(failures - 1, 10))
redis.call('HSET', KEYS[1], 'until_ms', now_ms() + pause)
redis.call('PEXPIRE', KEYS[1], 3600000)
return pause
