-- Stores that an operator is logged in; sessions that have ended are dropped, and beyond the most there may be the oldest.
-- KEYS[1] operator_sessions  hash, id → session (JSON)
-- ARGV[1] id  [2] who  [3] role  [4] from  [5] for how long (ms)  [6] how many there may be
-- ARGV[7] who vouched for them (JSON); empty: a key
-- Returns the session's text
local now = now_ms()
local kept = {}
local texts = redis.call('HGETALL', KEYS[1])
for index = 1, #texts, 2 do
  local readable, session = pcall(cjson.decode, texts[index + 1])
  if not readable or type(session) ~= 'table' or not is_whole(session.untilMs) or session.untilMs <= now then
    redis.call('HDEL', KEYS[1], texts[index])
  else
    kept[#kept + 1] = {id = texts[index], untilMs = session.untilMs}
  end
end
table.sort(kept, function(a, b) return a.untilMs < b.untilMs end)
for index = 1, #kept - tonumber(ARGV[6]) + 1 do redis.call('HDEL', KEYS[1], kept[index].id) end
local text = cjson.encode({
  v = 1, who = ARGV[2], role = ARGV[3], from = ARGV[4], sinceMs = now, untilMs = now + tonumber(ARGV[5]),
  vouched = ARGV[7] ~= '' and cjson.decode(ARGV[7]) or nil
})
redis.call('HSET', KEYS[1], ARGV[1], text)
return text
