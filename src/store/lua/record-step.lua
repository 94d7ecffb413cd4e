-- A sign of life of an attempt: renews its lease and its ticket, and notes a step as done.
-- KEYS[1] instances  [2] warming:<template>
-- ARGV[1] id  [2] attempt  [3] ticket life from now (ms)  [4] lease (ms)  [5] step, or '' for none
-- ARGV[6] where its visitor is to land first, or ''
-- Returns 1, or 0 when the record or the ticket is not this attempt's any more
local record = load_attempt(KEYS[1], ARGV[1], ARGV[2])
if not record or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
local now = now_ms()
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
record.leaseUntilMs = now + tonumber(ARGV[4])
if ARGV[5] ~= '' then record.step = ARGV[5] end
if ARGV[6] ~= '' then record.landing = ARGV[6] end
save_record(KEYS[1], record)
return 1
