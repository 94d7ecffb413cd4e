-- Hands the oldest ready instance with a full visit of life left to its new owner: everything a click needs, in one step.
-- KEYS[1] ready:<template>      zset, id by end of life (ms)
-- KEYS[2] assigned:<template>   zset, id by deadline (ms)
-- KEYS[3] instances             hash, id → record
-- KEYS[4] rate:hourly:<subject> counter
-- KEYS[5] rate:daily:<subject>  counter
-- KEYS[6] idempotency:<hash>    string, "<id> <template>"; not touched when ARGV[6] is 0
-- ARGV[1] ttl (ms)  [2] hourly limit (0: none)  [3] daily limit (0: none)  [4] owner  [5] template
-- ARGV[6] life of the idempotency key (ms), 0 without a key
-- Returns {0|1, id, label, deadline, ms left, ready left} taken | the same again
--         {-1} empty   {-2, ms to wait} hourly limit   {-3, ms to wait} daily limit   {-4} key used for another template
local now = now_ms()
local ttl = tonumber(ARGV[1])
local key_life = tonumber(ARGV[6])

if key_life > 0 then
  local earlier = redis.call('GET', KEYS[6])
  if earlier then
    local id, template = string.match(earlier, '^(%S+) (%S+)$')
    local record = id and load_record(KEYS[3], id)
    if record and record.state == 'assigned' and record.owner == ARGV[4] and record.deadlineMs > now then
      if template ~= ARGV[5] then return {-4} end
      return {1, id, record.label, record.deadlineMs, record.deadlineMs - now, redis.call('ZCARD', KEYS[1])}
    end
  end
end

for index = 4, 5 do
  local limit = tonumber(ARGV[index - 2])
  if limit > 0 and tonumber(redis.call('GET', KEYS[index]) or '0') >= limit then
    return {index == 4 and -2 or -3, math.max(redis.call('PTTL', KEYS[index]), 1000)}
  end
end

while true do
  local id = redis.call('ZRANGE', KEYS[1], now + ttl, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not id then return {-1} end
  redis.call('ZREM', KEYS[1], id)
  local record = load_record(KEYS[3], id)
  -- An entry no ready record backs is dropped; the next one serves the visitor.
  if record and record.state == 'ready' then
    record.state = 'assigned'
    record.owner = ARGV[4]
    record.assignedAtMs = now
    record.deadlineMs = now + ttl
    save_record(KEYS[3], record)
    redis.call('ZADD', KEYS[2], record.deadlineMs, id)
    if key_life > 0 then redis.call('SET', KEYS[6], id .. ' ' .. ARGV[5], 'PX', key_life) end
    for index = 4, 5 do
      if tonumber(ARGV[index - 2]) > 0 and redis.call('INCR', KEYS[index]) == 1 then
        redis.call('PEXPIRE', KEYS[index], index == 4 and 3600000 or 86400000)
      end
    end
    return {0, id, record.label, record.deadlineMs, ttl, redis.call('ZCARD', KEYS[1])}
  end
end
