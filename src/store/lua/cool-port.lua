-- The port of a releasing instance rests before anybody gets it again.
-- KEYS[1] instances  [2] cooling_ports  [3] held_ports  [4] available_ports
-- ARGV[1] id  [2] attempt  [3] cool-down (ms)
-- Returns 1 when the port was given back, 0 when there was none to give, -1 refused: its container
--         may still answer on it
local record = load_leaving(KEYS[1], ARGV[1], ARGV[2], 'releasing')
if not record or record.port == cjson.null then return 0 end
if record.step ~= 'container_gone' and record.step ~= 'database_dropped' or record.database ~= cjson.null then
  return -1
end
-- Another instance that holds it by now needs it; where its entry was lost, it is this record's all the same.
local holder = redis.call('HGET', KEYS[3], record.port)
if not holder or holder == record.id then
  redis.call('HDEL', KEYS[3], record.port)
  redis.call('SREM', KEYS[4], record.port)
  redis.call('ZADD', KEYS[2], now_ms() + tonumber(ARGV[3]), record.port)
end
record.port = cjson.null
record.step = 'port_cooling'
save_record(KEYS[1], record)
return 1
