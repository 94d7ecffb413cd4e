-- The cleanup of a releasing instance could not be queued: it comes up again at the next look.
-- KEYS[1] instances  [2] leaving:<template>
-- ARGV[1] id  [2] attempt
-- Returns 1, or 0 when it is not releasing, or another attempt's
if not load_leaving(KEYS[1], ARGV[1], ARGV[2], 'releasing') then return 0 end
redis.call('ZADD', KEYS[2], now_ms(), ARGV[1])
return 1
