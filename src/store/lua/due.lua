-- Members of an index whose score lies before now + offset, with their records.
-- KEYS[1] an index zset  [2] instances   ARGV[1] offset (ms)  [2] limit  [3] '1': count their time from now on again
-- Returns {id, record text or '', …} in pairs
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', now_ms() + tonumber(ARGV[1]), 'BYSCORE', 'LIMIT', 0, ARGV[2])) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[2], id) or ''
  if ARGV[3] == '1' then redis.call('ZADD', KEYS[1], now_ms(), id) end
end
return found
