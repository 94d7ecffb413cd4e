-- What the processes that run say of themselves.
-- KEYS[1] processes  [2] processes_seen
-- ARGV[1] silence after which a process counts as gone (ms)
-- Returns their entries, the one first that said so first
local entries = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], '(' .. now_ms() - tonumber(ARGV[1]), '+inf', 'BYSCORE')) do
  entries[#entries + 1] = redis.call('HGET', KEYS[1], id) or ''
end
return entries
