-- ready → releasing, for some of a template's idle instances, while the store has counted fewer claims than were seen:
-- each may have been handed to somebody in the time that was lost. Host names stop resolving in the same step.
-- KEYS[1] instances  [2] ready:<template>  [3] leaving:<template>  [4] hostnames  [5] hostname_changes  [6] takes
-- ARGV[1] the highest claim count seen  [2] at most so many
-- Returns {1 when there may be more, the new text of each record, …}
if stored_number(redis.call('GET', KEYS[6]), 0) >= tonumber(ARGV[1]) then return {0} end
local ids = redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[2]) - 1)
local answer = {#ids == tonumber(ARGV[2]) and 1 or 0}
local now = now_ms()
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[2], id)
  local record = load_record(KEYS[1], id)
  if record and record.state == 'ready' then
    record.state = 'releasing'
    record.reason = 'store_rolled_back'
    -- Due at once: should the caller die here, the reaper queues the cleanup.
    redis.call('ZADD', KEYS[3], now, id)
    drop_hostname(KEYS[4], KEYS[5], record.label)
    answer[#answer + 1] = save_record(KEYS[1], record)
  end
end
return answer
