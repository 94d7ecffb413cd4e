-- warming → ready; the ticket is spent, and the template's failures are forgiven.
-- KEYS[1] instances  [2] warming:<template>  [3] ready:<template>  [4] refill_pause:<template>   ARGV[1] id  [2] life from now (ms)
-- Returns 1, or 0 when the ticket or the record was taken away meanwhile
local record = load_record(KEYS[1], ARGV[1])
if not record or record.state ~= 'warming' then return 0 end
if redis.call('ZREM', KEYS[2], record.id) == 0 then return 0 end
local now = now_ms()
record.state = 'ready'
record.readyAtMs = now
record.endOfLifeMs = now + tonumber(ARGV[2])
save_record(KEYS[1], record)
redis.call('ZADD', KEYS[3], record.endOfLifeMs, record.id)
redis.call('DEL', KEYS[4])
return 1
