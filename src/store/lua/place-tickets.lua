-- Counts tickets against the node they go to, until each has a port there or its time is up.
-- KEYS[1] placed:<node>
-- ARGV[1] for how long they count (ms)  [2…] tickets
-- Returns how many count now
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('ZCARD', KEYS[1])
