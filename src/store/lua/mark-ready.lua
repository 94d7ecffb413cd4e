-- warming → ready; the ticket is spent, and the template's failures are forgiven.
-- KEYS[1] instances  [2] warming:<template>  [3] ready:<template>  [4] refill_pause:<template>
-- KEYS[5] refills:<template>  [6] waiting:<template>
-- ARGV[1] id  [2] attempt  [3] life from now (ms)  [4] failures that open the breaker
-- ARGV[5] why its visitor gets it without a frame, as JSON, or ''
-- Returns {1, 1 when the breaker was open}, or {0} when the ticket or the record is not this attempt's any more, or the
--         record does not say that its name was published
local record = load_attempt(KEYS[1], ARGV[1], ARGV[2])
if not record or record.step ~= 'named' then return {0} end
if redis.call('ZREM', KEYS[2], record.id) == 0 then return {0} end
local now = now_ms()
record.state = 'ready'
record.step = 'warmed_up'
record.leaseUntilMs = nil
if ARGV[5] ~= '' then record.bare = cjson.decode(ARGV[5]) end
record.readyAtMs = now
record.endOfLifeMs = now + tonumber(ARGV[3])
save_record(KEYS[1], record)
redis.call('ZADD', KEYS[3], record.endOfLifeMs, record.id)
-- What a waiting visitor is told rests on it: when one came up, how long that took, and how much was still to be done.
local left = redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[6])
local took = is_whole(record.createdAtMs) and math.max(now - record.createdAtMs, 0) or 0
redis.call('LPUSH', KEYS[5], now .. ' ' .. took .. ' ' .. left)
redis.call('LTRIM', KEYS[5], 0, 15)
redis.call('PEXPIRE', KEYS[5], 604800000)
local known = redis.call('HMGET', KEYS[4], 'failures', 'unhealthy')
local failures, unhealthy = stored_number(known[1], 0), stored_number(known[2], 0)
-- Coming up proves nothing where they keep dying afterwards.
if unhealthy >= tonumber(ARGV[4]) then return {1, 0} end
if unhealthy > 0 then redis.call('HDEL', KEYS[4], 'failures', 'until_ms')
else redis.call('DEL', KEYS[4]) end
return {1, failures >= tonumber(ARGV[4]) and 1 or 0}
