-- Notes that instances are in use, and that whoever reports it is still watching.
-- KEYS[1] hostnames
-- KEYS[2] last_used            zset, id by when it was last seen in use (ms)
-- KEYS[3] use_reporters        hash, reporter → when it reported last (ms)
-- KEYS[4] use_known_since      string: before this time instances may have been used without a report (ms)
-- ARGV[1] reporter, or '' for a sign of use that nobody watches for  [2] '1': its last report
-- ARGV[3…] labels of the instances that were used
-- Returns how many of them are looked after
local now = now_ms()
if ARGV[1] ~= '' then
  if ARGV[2] == '1' then redis.call('HDEL', KEYS[3], ARGV[1])
  -- What went through before it began to watch, nobody has seen.
  elseif redis.call('HSET', KEYS[3], ARGV[1], now) == 1 then redis.call('SET', KEYS[4], now) end
end
local noted = 0
for index = 3, #ARGV do
  local entry = redis.call('HGET', KEYS[1], ARGV[index])
  local readable, decoded = pcall(cjson.decode, entry or '')
  local id = readable and type(decoded) == 'table' and decoded.id
  -- Only those that find-unused.lua has put there: of other templates nobody asks.
  if type(id) == 'string' and redis.call('ZSCORE', KEYS[2], id) then
    redis.call('ZADD', KEYS[2], 'XX', 'GT', now, id)
    noted = noted + 1
  end
end
return noted
