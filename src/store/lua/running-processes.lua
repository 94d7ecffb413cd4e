-- What the processes that run say of themselves.
-- KEYS[1] processes  [2] processes_seen
-- ARGV[1] silence after which a process counts as gone (ms)  [2] silence of all at once that only an outage brings about (ms)
-- Returns {0 when others that run may not have said so again yet, since all are silent at once or were a moment ago, or
-- 1, and their entries, the one first that said so first}
local now = now_ms()
local silence = tonumber(ARGV[1])
local back = stored_number(redis.call('HGET', KEYS[1], 'back_ms'), 0)
local newest = stored_number(redis.call('ZRANGE', KEYS[2], 0, 0, 'REV', 'WITHSCORES')[2], now)
local may_lack = now - back < silence or newest <= now - tonumber(ARGV[2])
local entries = {may_lack and 0 or 1}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], '(' .. now - silence, '+inf', 'BYSCORE')) do
  entries[#entries + 1] = redis.call('HGET', KEYS[1], id) or ''
end
return entries
