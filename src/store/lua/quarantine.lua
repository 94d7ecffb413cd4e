-- releasing → quarantined: a cleanup step keeps failing; everything after it waits.
-- KEYS[1] instances  [2] leaving:<template>   ARGV[1] id  [2] reason
-- Returns 1 or 0 when it was not releasing
local record = load_record(KEYS[1], ARGV[1])
if not record or record.state ~= 'releasing' then return 0 end
record.state = 'quarantined'
record.reason = ARGV[2]
save_record(KEYS[1], record)
redis.call('ZADD', KEYS[2], now_ms(), record.id)
return 1
