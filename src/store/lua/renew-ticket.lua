-- KEYS[1] warming:<template>   ARGV[1] id  [2] ticket life from now (ms)
-- Returns 1, or 0 when the ticket is gone
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now_ms() + tonumber(ARGV[2]), ARGV[1])
return 1
