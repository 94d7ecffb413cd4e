-- Notes which names of images are gone by, so that what is recorded of their updates stays, and forgets what names stand
-- for that nobody has gone by for long: one on every new tag would otherwise stay for ever.
-- KEYS[1] image_pins  [2] image_pins_used  [3] image_seen:<node>  [4…] image_update:<name> of each name
-- ARGV[1] how long one is kept that nobody goes by (ms)  [2] how long what is recorded of its updates (ms)
-- ARGV[3…] names that the process goes by
-- Returns how many were forgotten
local now = now_ms()
for index = 4, #KEYS do redis.call('PEXPIRE', KEYS[index], ARGV[2]) end
for index = 3, #ARGV do
  if redis.call('HEXISTS', KEYS[1], ARGV[index]) == 1 then redis.call('ZADD', KEYS[2], now, ARGV[index]) end
end
-- Those that were decided since, or before this was noted, count from now on.
if redis.call('ZCARD', KEYS[2]) ~= redis.call('HLEN', KEYS[1]) then
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('ZADD', KEYS[2], 'NX', now, name) end
  for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if redis.call('HEXISTS', KEYS[1], name) == 0 then redis.call('ZREM', KEYS[2], name) end
  end
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[1]), 'LIMIT', 0, 100)
for _, name in ipairs(old) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
if redis.call('HLEN', KEYS[3]) > redis.call('HLEN', KEYS[1]) then
  for _, name in ipairs(redis.call('HKEYS', KEYS[3])) do
    if redis.call('HEXISTS', KEYS[1], name) == 0 then redis.call('HDEL', KEYS[3], name) end
  end
end
return #old
