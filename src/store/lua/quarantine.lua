-- releasing → quarantined: a cleanup step failed; everything after it waits. It comes up again after 2 s, doubled at
-- each failure, 5 min at most.
-- KEYS[1] instances  [2] leaving:<template>
-- ARGV[1] id  [2] attempt  [3] reason
-- Returns the pause (ms), or 0 when it was not releasing, or another attempt's
local record = load_leaving(KEYS[1], ARGV[1], ARGV[2], 'releasing')
if not record then return 0 end
record.state = 'quarantined'
record.reason = ARGV[3]
record.failures = (record.failures or 0) + 1
save_record(KEYS[1], record)
local pause = math.min(300000, 2000 * 2 ^ math.min(record.failures - 1, 10))
redis.call('ZADD', KEYS[2], now_ms() + pause, record.id)
return pause
