-- Counts a ready instance that kept failing its health check. From ARGV[1] in a row on, the breaker is open, as after as
-- many failed attempts: that new ones come up forgives nothing then, until one stays healthy.
-- KEYS[1] refill_pause:<template>
-- ARGV[1] failures that open it  [2] longest pause (ms)  [3] version of the template
-- Returns {1 when this one opened it, the pause (ms), failures in a row}
local now = now_ms()
local unhealthy = count_up(KEYS[1], 'unhealthy')
redis.call('HSET', KEYS[1], 'version', ARGV[3])
redis.call('PEXPIRE', KEYS[1], 3600000)
local beyond = unhealthy - tonumber(ARGV[1])
if beyond < 0 then return {0, 0, unhealthy} end
local pause = math.min(tonumber(ARGV[2]), 5000 * 2 ^ math.min(beyond, 10))
redis.call('HSET', KEYS[1], 'until_ms', now + pause, 'failures', unhealthy)
return {beyond == 0 and 1 or 0, pause, unhealthy}
