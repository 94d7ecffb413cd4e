-- One port for one attempt, once. Ports whose cool-down is over come back first.
-- KEYS[1] instances  [2] available_ports  [3] cooling_ports  [4] held_ports  [5] placed:<node>
-- ARGV[1] id  [2] attempt
-- ARGV[3] range start  [4] range end
-- Returns the record's text, 0 when it is not this attempt's any more, -1 when no port is free,
-- -2 when no ports are recorded at all
local function in_range(port)
  local number = stored_number(port, -1)
  return number >= tonumber(ARGV[3]) and number <= tonumber(ARGV[4]) and string.format('%d', number) == port
end

for _, range in ipairs(rested_ranges(now_ms())) do
  for _, port in ipairs(redis.call('ZRANGE', KEYS[3], range[1], range[2], 'BYSCORE', 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[3], port)
    -- The range may have become narrower while it rested.
    if in_range(port) then
      redis.call('SADD', KEYS[2], port)
    end
  end
end
local record = load_attempt(KEYS[1], ARGV[1], ARGV[2])
if not record then return 0 end
if record.port ~= cjson.null then return cjson.encode(record) end
local port = redis.call('SPOP', KEYS[2])
while port and not in_range(port) do port = redis.call('SPOP', KEYS[2]) end
if not port then
  local kept = redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4])
  return kept == 0 and -2 or -1
end
redis.call('HSET', KEYS[4], port, record.id)
-- It counts among those that hold a port from now on.
redis.call('ZREM', KEYS[5], record.id)
record.port = tonumber(port)
record.step = 'port_allocated'
return save_record(KEYS[1], record)
