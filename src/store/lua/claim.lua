-- Hands the oldest ready instance with a full visit of life left to its new owner: all that a click needs, in one step.
-- KEYS[1] ready:<template>      zset, id by end of life (ms)
-- KEYS[2] assigned:<template>   zset, id by deadline (ms)
-- KEYS[3] instances             hash, id → record
-- KEYS[4] rate:hourly:<client>  counter
-- KEYS[5] rate:daily:<client>   counter
-- KEYS[6] idempotency:<hash>    string, "<id> <template>"; not touched when ARGV[6] is 0
-- KEYS[7] takes                 counter: raised by every instance that is handed out
-- KEYS[8] nodes                 hash, node → its entry
-- KEYS[9] pool_control:<template> hash, what an operator has decided
-- KEYS[10] warming:<template>   zset, tickets
-- KEYS[11] leaving:<template>   zset, ids whose cleanup is under way
-- KEYS[12] refill_pause:<template> hash, the breaker
-- KEYS[13] funnel:<day>         hash, steps of visits counted
-- KEYS[14] event_outbox         stream, for who wants to hear of visits
-- KEYS[15] event_settings       hash, whether anybody does
-- ARGV[1] ttl (ms)  [2] hourly limit (0: none)  [3] daily limit (0: none)  [4] owner  [5] template
-- ARGV[6] life of the idempotency key (ms), 0 without a key  [7] the highest claim count the caller has seen
-- ARGV[8] id of a dead instance of this owner's that is to be replaced, or ''
-- ARGV[9] when the caller stops waiting (ms), 0: not known
-- ARGV[10] embedding site
-- Returns {0|1, id, label, deadline, ms left, port, node's entry or '', claim count, 1 when its activation gave a
--         landing that nobody took yet} taken | the same again, with count 0
--         {-1, now, warming, all there are, operators' target or '', failures in a row, ms until a refill may be tried} empty
--         {-2, ms to wait} hourly limit   {-3, ms to wait} daily limit
--         {-4} key used for another template
--         {-5} fewer claims than the caller has seen: the store went back in time, nothing was changed
--         {-7, ms to wait, reason or ''} paused or draining: nothing is handed out
--         {-6, now} nobody waits for the answer any more, nothing was changed
local now = now_ms()
local ttl = tonumber(ARGV[1])
local key_life = tonumber(ARGV[6])
local WINDOW_MS = {3600000, 86400000}

-- What lay in the socket of a server that hung is carried out when it goes on, long after the visitor
-- was told to try again.
local not_after = tonumber(ARGV[9])
if not_after > 0 and now > not_after then return {-6, now} end

-- First of all: what an older copy of the store says about an earlier claim is worth as little as the rest of it.
if stored_number(redis.call('GET', KEYS[7]), 0) < tonumber(ARGV[7]) then return {-5} end

local function handed_out(code, record, count)
  local address = redis.call('HGET', KEYS[8], record.node) or ''
  return {code, record.id, record.label, record.deadlineMs, record.deadlineMs - now, record.port, address, count,
    record.landing and 1 or 0}
end

if key_life > 0 then
  local earlier = redis.call('GET', KEYS[6])
  if earlier then
    local id, template = string.match(earlier, '^(%S+) (%S+)$')
    local record = id and load_record(KEYS[3], id)
    if record and record.state == 'assigned' and record.owner == ARGV[4] and record.deadlineMs > now then
      if template ~= ARGV[5] then return {-4} end
      return handed_out(1, record, 0)
    end
  end
end

local function refused(answer)
  count_step(KEYS[13], ARGV[5], ARGV[10], 'clicked')
  count_step(KEYS[13], ARGV[5], ARGV[10], 'refused')
  return answer
end

local control = redis.call('HMGET', KEYS[9], 'mode', 'deadline_ms', 'reason')
if control[1] == 'paused' or control[1] == 'draining' then
  return refused({-7, math.max(stored_number(control[2], 0) - now, 30000), control[3] or ''})
end

local counts = redis.call('MGET', KEYS[4], KEYS[5])

-- The dead one was counted; what takes its place is not counted again.
local counted = false
if ARGV[8] ~= '' then
  local dead = load_record(KEYS[3], ARGV[8])
  counted = dead and dead.owner == ARGV[4] and dead.state ~= 'assigned' and dead.reason == 'container_lost'
end
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3])}
if not counted then
  for window = 1, 2 do
    if limits[window] > 0 and stored_number(counts[window], 0) >= limits[window] then
      -- A counter that never ends was not made here.
      if redis.call('PTTL', KEYS[3 + window]) < 0 then redis.call('PEXPIRE', KEYS[3 + window], WINDOW_MS[window]) end
      return refused({-1 - window, math.max(redis.call('PTTL', KEYS[3 + window]), 1000)})
    end
  end
end

-- Popping is one call where looking and removing would be two. What has too little life left goes back, for the reaper.
local taken
local aged = {}
while not taken do
  local popped = redis.call('ZPOPMIN', KEYS[1])
  local id = popped[1]
  if not id then break end
  if tonumber(popped[2]) < now + ttl then
    aged[#aged + 1] = popped[2]
    aged[#aged + 1] = id
  else
    -- An entry that no ready record backs is dropped; the next one serves the visitor.
    local record = load_record(KEYS[3], id)
    if record and record.state == 'ready' then taken = record end
  end
end
for index = 1, #aged, 2 do redis.call('ZADD', KEYS[1], aged[index], aged[index + 1]) end
if not taken then
  local warming = redis.call('ZCARD', KEYS[10])
  local all = redis.call('ZCARD', KEYS[1]) + warming + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[11])
  local breaker = redis.call('HMGET', KEYS[12], 'failures', 'until_ms')
  local target = redis.call('HGET', KEYS[9], 'target') or ''
  local wait = math.max(pause_until(breaker[2], now) - now, 0)
  return {-1, now, warming, all, target, stored_number(breaker[1], 0), wait}
end

taken.state = 'assigned'
taken.owner = ARGV[4]
taken.assignedAtMs = now
taken.deadlineMs = now + ttl
if ARGV[10] ~= 'direct' then taken.site = ARGV[10] end
-- Who gets another for one that was dead did not click again.
local click = {atMs = now, deadlineMs = taken.deadlineMs, replacement = counted or nil}
write_event(KEYS[14], KEYS[15], taken, 'claimed', counted and 1 or 2, click)
if not counted then count_step(KEYS[13], ARGV[5], ARGV[10], 'clicked') end
count_step(KEYS[13], ARGV[5], ARGV[10], 'handed_over')
save_record(KEYS[3], taken)
redis.call('ZADD', KEYS[2], taken.deadlineMs, taken.id)
if key_life > 0 then redis.call('SET', KEYS[6], taken.id .. ' ' .. ARGV[5], 'PX', key_life) end
for window = 1, 2 do
  if not counted and limits[window] > 0 and count_up(KEYS[3 + window]) == 1 then
    redis.call('PEXPIRE', KEYS[3 + window], WINDOW_MS[window])
  end
end
return handed_out(0, taken, count_up(KEYS[7]))
