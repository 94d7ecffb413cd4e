-- Says that this process hands out instances, and tells it what the others did.
-- KEYS[1] takes   counter
-- KEYS[2] takers  zset, process by when it last said so (ms)
-- ARGV[1] the process  [2] silence after which a process counts as gone (ms)
-- Returns {claim count, other processes}
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], now, ARGV[1])
return {stored_number(redis.call('GET', KEYS[1]), 0), redis.call('ZCARD', KEYS[2]) - 1}
