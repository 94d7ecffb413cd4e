-- Some of the rules for networks of clients; those of them that have ended are dropped.
-- KEYS[1] bans | allowances  hash, network → rule (JSON)
-- ARGV[1] where to go on, '0' to begin  [2] how many at a time
-- Returns {now, where to go on or '0', {the texts of those that have not ended}}
local now = now_ms()
local cursor, some = unpack(redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
local rules = {}
for at = 1, #some, 2 do
  local readable, rule = pcall(cjson.decode, some[at + 1])
  if readable and type(rule) == 'table' and is_whole(rule.untilMs) and rule.untilMs <= now then
    redis.call('HDEL', KEYS[1], some[at])
  else
    rules[#rules + 1] = some[at + 1]
  end
end
return {now, cursor, rules}
