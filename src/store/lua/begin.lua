-- The record comes before the container: nothing of ours ever runs that no record knows of.
-- KEYS[1] instances  [2] warming:<template>   ARGV[1] id  [2] the record to make  [3] ticket life from now (ms)
-- Returns the record's text, 0 when the ticket is gone, -1 while an earlier attempt is still being cleaned up
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[2], now_ms() + tonumber(ARGV[3]), ARGV[1])
local existing = load_record(KEYS[1], ARGV[1])
if existing then
  if existing.state ~= 'warming' then return -1 end
  return cjson.encode(existing)
end
local record = cjson.decode(ARGV[2])
record.createdAtMs = now_ms()
return save_record(KEYS[1], record)
