-- The record comes before the container: nothing of ours ever runs that no record knows of.
-- KEYS[1] instances  [2] warming:<template>  [3] refill_pause:<template>  [4] leaving:<template>  [5] hostnames
-- KEYS[6] hostname_changes  [7] placed:<node>
-- ARGV[1] id  [2] the record to make  [3] ticket life from now (ms)  [4] lease (ms)
-- ARGV[5] how long a cleanup is waited for (ms)
-- Returns {0, record} begun   {1} no ticket   {2} the breaker is open, the ticket was given back
--         {3} another attempt is alive
--         {4, record} what an earlier attempt left, releasing or quarantined
local id = ARGV[1]
if not redis.call('ZSCORE', KEYS[2], id) or is_unreadable(KEYS[1], id) then return {1} end
local now = now_ms()
local existing = load_record(KEYS[1], id)
if existing then
  if is_at_work(existing, now) then return {3} end
  -- Spent on the record's way to ready, a ticket cannot be here any more: somebody has put it back.
  if existing.state == 'ready' or existing.state == 'assigned' then
    redis.call('ZREM', KEYS[2], id)
    return {1}
  end
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), id)
  if existing.state ~= 'warming' then return {4, cjson.encode(existing)} end
  existing.state = 'releasing'
  existing.reason = 'provision_failed'
  existing.leaseUntilMs = nil
  redis.call('ZADD', KEYS[4], now + tonumber(ARGV[5]), id)
  drop_hostname(KEYS[5], KEYS[6], existing.label)
  return {4, save_record(KEYS[1], existing)}
end
if pause_until(redis.call('HGET', KEYS[3], 'until_ms'), now) > now then
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[7], id)
  return {2}
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), id)
local record = cjson.decode(ARGV[2])
record.createdAtMs = now
record.leaseUntilMs = now + tonumber(ARGV[4])
return {0, save_record(KEYS[1], record)}
