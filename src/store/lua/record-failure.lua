-- Counts a failed attempt of a template. From ARGV[1] in a row on, its breaker is open: 5 s, doubled at each failure, at
-- most ARGV[2] (ms). Attempts that were under way when it opened do not count: they fail of the same cause.
-- KEYS[1] refill_pause:<template>
-- ARGV[1] failures that open it  [2] longest pause (ms)  [3] version of the template
-- Returns {1 when this one opened it, what is left of the pause (ms), failures in a row}
local now = now_ms()
local known = redis.call('HMGET', KEYS[1], 'until_ms', 'failures')
local until_ms = pause_until(known[1], now)
if until_ms > now then return {0, until_ms - now, stored_number(known[2], 0)} end
local failures = count_up(KEYS[1], 'failures')
redis.call('HSET', KEYS[1], 'version', ARGV[3])
redis.call('PEXPIRE', KEYS[1], 3600000)
local beyond = failures - tonumber(ARGV[1])
if beyond < 0 then return {0, 0, failures} end
local pause = math.min(tonumber(ARGV[2]), 5000 * 2 ^ math.min(beyond, 10))
redis.call('HSET', KEYS[1], 'until_ms', now + pause)
return {beyond == 0 and 1 or 0, pause, failures}
