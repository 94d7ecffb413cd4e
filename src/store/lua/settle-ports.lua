-- Puts suspicious ports where the books say they belong: available, cooling or held, exactly one of them.
-- KEYS[1] available_ports  [2] cooling_ports  [3] held_ports  [4] instances
-- ARGV[1] range start  [2] range end  [3] cool-down (ms)  [4…] the ports to look at
-- Returns how many were moved
local now = now_ms()
local moved = 0
for index = 4, #ARGV do
  local port = ARGV[index]
  local number = tonumber(port)
  local in_range = number >= tonumber(ARGV[1]) and number <= tonumber(ARGV[2])
  local available = redis.call('SISMEMBER', KEYS[1], port) == 1
  local cooling = redis.call('ZSCORE', KEYS[2], port)
  local holder = redis.call('HGET', KEYS[3], port)
  if holder then
    local record = load_record(KEYS[4], holder)
    if available then
      redis.call('SREM', KEYS[1], port)
      moved = moved + 1
    end
    if (not record or record.port ~= number) and not is_unreadable(KEYS[4], holder) then
      redis.call('HDEL', KEYS[3], port)
      redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), port)
      moved = moved + 1
    end
  elseif cooling then
    if available then
      redis.call('SREM', KEYS[1], port)
      moved = moved + 1
    end
    if tonumber(cooling) <= now then
      redis.call('ZREM', KEYS[2], port)
      if in_range then redis.call('SADD', KEYS[1], port) end
    end
  elseif in_range and not available then
    redis.call('SADD', KEYS[1], port)
    moved = moved + 1
  elseif available and not in_range then
    redis.call('SREM', KEYS[1], port)
    moved = moved + 1
  end
end
return moved
