-- The rules for networks of clients that have not ended; those that have are dropped.
-- KEYS[1] bans  [2] allowances  both hashes, network → rule (JSON)
-- Returns {now, {bans}, {allowances}}
local now = now_ms()
local found = {}
for index, key in ipairs(KEYS) do
  local rules = {}
  for _, network in ipairs(redis.call('HKEYS', key)) do
    local text = redis.call('HGET', key, network)
    local readable, rule = pcall(cjson.decode, text)
    if readable and type(rule) == 'table' and is_whole(rule.untilMs) and rule.untilMs <= now then
      redis.call('HDEL', key, network)
    else
      rules[#rules + 1] = text
    end
  end
  found[index] = rules
end
return {now, found[1], found[2]}
