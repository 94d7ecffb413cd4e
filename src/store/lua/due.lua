-- Members of an index whose score is before now + offset, with their records.
-- KEYS[1] an index zset  [2] instances
-- ARGV[1] offset (ms)  [2] limit  [3] put them off by (ms), 0: leave them  [4] how many to skip
-- Returns {id, record text or '', …} in pairs
local found = {}
local now = now_ms()
local due = redis.call('ZRANGE', KEYS[1], '-inf', now + tonumber(ARGV[1]), 'BYSCORE', 'LIMIT', ARGV[4], ARGV[2])
for _, id in ipairs(due) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[2], id) or ''
  if ARGV[3] ~= '0' then redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), id) end
end
return found
