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
-- KEYS[16] waiting:<template>   zset, place by when it was taken (ms)
-- KEYS[17] waiting_leases:<template> zset, place by until when it is kept (ms)
-- KEYS[18] waiting_clients:<template> hash, place → "<client> <embedding site>"
-- ARGV[1] ttl (ms)  [2] hourly limit (0: none)  [3] daily limit (0: none)  [4] owner  [5] template
-- ARGV[6] life of the idempotency key (ms), 0 without a key  [7] the highest claim count the caller has seen
-- ARGV[8] id of a dead instance of this owner's that is to be replaced, or ''
-- ARGV[9] when the caller stops waiting for this answer (ms), 0: not known
-- ARGV[10] embedding site  [11] the caller's place, or ''
-- ARGV[12] how long a place is kept (ms), 0: the caller does not wait  [13] most places  [14] client
-- Returns {0|1, id, label, deadline, ms left, port, node's entry or '', claim count, 1 when its activation gave a
--         landing that nobody took yet, ms waited or -1, {sites of places that lapsed}, 1 when no frame shows it,
--         embedding site} taken | the same again, with count 0
--         {-1, now, warming, all there are, operators' target or '', failures in a row, ms until a refill may be tried,
--         the caller's position or 0, {sites of places that lapsed}} none for this caller
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

local waited, lapsed = -1, {}

local function handed_out(code, record, count)
  local address = redis.call('HGET', KEYS[8], record.node) or ''
  return {code, record.id, record.label, record.deadlineMs, record.deadlineMs - now, record.port, address, count,
    record.landing and 1 or 0, waited, lapsed, record.bare and 1 or 0, record.site or 'direct'}
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
  -- A client waits for no more than they may have: what they wait for already counts for a further place.
  local waits_for = 0
  if ARGV[12] ~= '0' and limits[1] + limits[2] > 0 and redis.call('HEXISTS', KEYS[18], ARGV[11]) == 0 then
    for _, waiter in ipairs(redis.call('HVALS', KEYS[18])) do
      if parse_waiter(waiter) == ARGV[14] then waits_for = waits_for + 1 end
    end
  end
  for window = 1, 2 do
    if limits[window] > 0 and stored_number(counts[window], 0) + waits_for >= limits[window] then
      -- A counter that never ends was not made here.
      if redis.call('PTTL', KEYS[3 + window]) == -1 then redis.call('PEXPIRE', KEYS[3 + window], WINDOW_MS[window]) end
      return refused({-1 - window, math.max(redis.call('PTTL', KEYS[3 + window]), 1000)})
    end
  end
end

-- What somebody ahead waits for is theirs. Who was given a dead one had their turn and does not queue again.
local place = ARGV[11]
local somebody_waits = redis.call('EXISTS', KEYS[16]) == 1
local theirs = false
if somebody_waits then
  lapsed = drop_lapsed_places(KEYS[16], KEYS[17], KEYS[18], now, KEYS[13], ARGV[5])
  local ahead = counted and 0 or places_ahead(KEYS[16], place)
  theirs = ahead > 0 and redis.call('ZCOUNT', KEYS[1], now + ttl, '+inf') <= ahead
end

-- Popping is one call where looking and removing would be two. What has too little life left goes back, for the reaper.
local taken
local aged = {}
while not taken and not theirs do
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

-- The caller's position, after a place was taken or kept; 0 where no more may wait, or where it would be in vain.
local function wait_for_one(target)
  local lease, since = tonumber(ARGV[12]), redis.call('ZSCORE', KEYS[16], place)
  if lease == 0 or place == '' then return 0 end
  if not since then
    if target == '0' or redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[13]) then return 0 end
    local neighbour = redis.call('ZRANGE', KEYS[16], counted and 0 or -1, counted and 0 or -1, 'WITHSCORES')[2]
    if counted then since = neighbour and math.min(tonumber(neighbour) - 1, now) or now
    else since = neighbour and math.max(tonumber(neighbour) + 1, now) or now end
    redis.call('ZADD', KEYS[16], since, place)
    redis.call('HSET', KEYS[18], place, ARGV[14] .. ' ' .. ARGV[10])
  end
  keep_place(KEYS[16], KEYS[17], KEYS[18], place, now + lease, now)
  return redis.call('ZRANK', KEYS[16], place) + 1
end

if not taken then
  local warming = redis.call('ZCARD', KEYS[10])
  local all = redis.call('ZCARD', KEYS[1]) + warming + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[11])
  local breaker = redis.call('HMGET', KEYS[12], 'failures', 'until_ms')
  local target = redis.call('HGET', KEYS[9], 'target') or ''
  local wait = math.max(pause_until(breaker[2], now) - now, 0)
  return {-1, now, warming, all, target, stored_number(breaker[1], 0), wait, wait_for_one(target), lapsed}
end

local site = ARGV[10]
if somebody_waits and place ~= '' then
  local since = redis.call('ZSCORE', KEYS[16], place)
  if since then
    waited = math.max(now - tonumber(since), 0)
    -- They came from where they clicked, whichever page asks for them now.
    site = select(2, parse_waiter(redis.call('HGET', KEYS[18], place)))
    drop_place(KEYS[16], KEYS[17], KEYS[18], place)
  end
end

taken.state = 'assigned'
taken.owner = ARGV[4]
taken.assignedAtMs = now
taken.deadlineMs = now + ttl
if site ~= 'direct' then taken.site = site end
-- Who gets another for one that was dead did not click again.
local clicked, had_to_wait = not counted, not counted and waited >= 0
write_event(KEYS[14], KEYS[15], taken, 'claimed', had_to_wait and 3 or clicked and 2 or 1, {
  atMs = now,
  deadlineMs = taken.deadlineMs,
  waitedMs = had_to_wait and waited or nil,
  replacement = counted or nil,
})
if clicked then count_step(KEYS[13], ARGV[5], site, 'clicked') end
if had_to_wait then count_step(KEYS[13], ARGV[5], site, 'waited') end
count_step(KEYS[13], ARGV[5], site, 'handed_over')
save_record(KEYS[3], taken)
redis.call('ZADD', KEYS[2], taken.deadlineMs, taken.id)
if key_life > 0 then redis.call('SET', KEYS[6], taken.id .. ' ' .. ARGV[5], 'PX', key_life) end
for window = 1, 2 do
  if not counted and limits[window] > 0 and count_up(KEYS[3 + window]) == 1 then
    redis.call('PEXPIRE', KEYS[3 + window], WINDOW_MS[window])
  end
end
return handed_out(0, taken, count_up(KEYS[7]))
