-- KEYS[1] instances   ARGV[1] id
-- Returns {now, record text} or {now}
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text then return {now_ms(), text} end
return {now_ms()}
