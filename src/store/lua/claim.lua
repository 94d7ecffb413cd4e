-- Hands each of these visitors the oldest ready instance with a full visit of life left: all that a click needs, in one
-- step. Those who click within one turn of the caller come together, in their order.
-- KEYS[1] ready:<template>      zset, id by end of life (ms)
-- KEYS[2] assigned:<template>   zset, id by deadline (ms)
-- KEYS[3] instances             hash, id → record
-- KEYS[4] takes                 counter: raised by every instance that is handed out
-- KEYS[5] nodes                 hash, node → its entry
-- KEYS[6] pool_control:<template> hash, what an operator has decided
-- KEYS[7] warming:<template>    zset, tickets
-- KEYS[8] leaving:<template>    zset, ids whose cleanup is under way
-- KEYS[9] refill_pause:<template> hash, the breaker
-- KEYS[10] funnel:<day>         hash, steps of visits counted
-- KEYS[11] event_outbox         stream, for who wants to hear of visits
-- KEYS[12] event_settings       hash, whether anybody does
-- KEYS[13] waiting:<template>   zset, place by when it was taken (ms)
-- KEYS[14] waiting_leases:<template> zset, place by until when it is kept (ms)
-- KEYS[15] waiting_clients:<template> hash, place → "<client> <embedding site> <network>"
-- KEYS[16] arrivals:<template>:<hour> hash, clicks counted by bucket
-- KEYS[17…] of each claim: rate:hourly:<client>, a counter; rate:daily:<client>, a counter;
--           idempotency:<hash>, "<id> <template>", not touched without a key; held:<network>, what the clients of one
--           network hold: "<id> <held until at most (ms)> <client>" in lines, where whether it is still held is for its
--           record to say; held:<owner>, the same of one owner; harm:<network> and harm:<browser>, what is remembered of harm
--           that they did
-- ARGV[1] ttl (ms)  [2] hourly limit (0: none)  [3] daily limit (0: none)  [4] template
-- ARGV[5] the highest claim count the caller has seen  [6] when the caller stops waiting (ms), 0: not known
-- ARGV[7] how long a place is kept (ms)  [8] most places  [9] longest stay (ms), counted from the claim
-- ARGV[10] nodes whose instances are left where they are, as ",node1,node2,", or ''
-- ARGV[11] the end of life (ms) before which all that is ready was on these nodes, as last told, or 0
-- ARGV[12…] of each claim: owner; life of the idempotency key (ms), 0 without a key; id of a dead instance of this
--          owner's that is to be replaced, or ''; embedding site; the caller's place, or ''; 1 when they would wait, or
--          0; client; 1 when the hourly and the daily limit are for them, or 0; the most that a client may hold at once,
--          and its network, and the owner, 0: any number; 1 when they have work to prove before they get a new one, or 0;
--          for how many visits that ended for harm they have proven work; network of the client, or ''
-- Returns for each claim
--         {0|1, id, label, deadline, ms left, port, node's entry or '', claim count, 1 when its activation gave a
--         landing that nobody took yet, ms waited or -1, {sites of places that lapsed}, 1 when no frame shows it,
--         embedding site, node, 1 when it was handed out in place of a dead one} taken | the same again, with count 0
--         {-1, now, warming, all there are, target that an operator or the pool itself has set, or '',
--         failures in a row, ms until a refill may be tried,
--         the caller's position or 0, {sites of places that lapsed}, 1 when the place is new} none for this caller
--         {-2, ms to wait} hourly limit   {-3, ms to wait} daily limit
--         {-4} key used for another template
--         {-5} fewer claims than the caller has seen: the store went back in time, nothing was changed
--         {-6, now} nobody waits for the answer any more, nothing was changed
--         {-7, ms to wait, reason or ''} paused or draining: nothing is handed out
--         {-8, message} the store failed in the middle of this one
--         {-9, ms until the first of them ends, 1 client | 2 network | 3 owner, the limit,
--         {template and deadline of each}} they hold as many as they may; a place the caller had is given up
--         {-10, visits that ended for harm} they have work to prove; who has a place has done so
--         {-11, ms to wait} too many of their visits ended for harm; a place the caller had is given up
--         and after all of them, where nodes are avoided: {the end of life to tell next time}
local WINDOW_MS = {3600000, 86400000}
local KEYS_EACH, ARGS_EACH, FIRST_KEY, FIRST_ARG = 7, 14, 17, 12
local now = now_ms()
local ttl, template = tonumber(ARGV[1]), ARGV[4]
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3])}
local longest_stay = tonumber(ARGV[9])
local size = (#KEYS - FIRST_KEY + 1) / KEYS_EACH

local function to_all(answer)
  local answers = {}
  for at = 1, size do answers[at] = answer end
  return answers
end

-- What lay in the socket of a server that hung is carried out when it goes on, long after the visitor
-- was told to try again.
local not_after = tonumber(ARGV[6])
if not_after > 0 and now > not_after then return to_all({-6, now}) end

-- First of all: what an older copy of the store says about an earlier claim is worth as little as the rest of it.
local takes_before = stored_number(redis.call('GET', KEYS[4]), 0)
if takes_before < tonumber(ARGV[5]) then return to_all({-5}) end
local takes = 0

local control = redis.call('HMGET', KEYS[6], 'mode', 'deadline_ms', 'reason')
local paused = control[1] == 'paused' or control[1] == 'draining'

-- Whether anybody waits, and wants to hear of visits: looked up once for all, as is whatever else they share.
local is_line = redis.call('EXISTS', KEYS[13]) == 1
local is_heard = redis.pcall('HEXISTS', KEYS[12], 'limit') ~= 0

-- Steps of visits, counted once for all who took them together.
local steps = {}
local function count_here(site, step)
  local field = funnel_field(template, site, step)
  steps[field] = (steps[field] or 0) + 1
end

-- Clicks that want an instance, once each however long they wait: what a pool sizes itself by.
local BUCKET_MS, ARRIVALS_MS = 30000, 8 * 86400000
local arrived, missed = 0, 0

local function claim_at(at)
  local key, arg = FIRST_KEY + (at - 1) * KEYS_EACH, FIRST_ARG + (at - 1) * ARGS_EACH
  return {
    rate_keys = {KEYS[key], KEYS[key + 1]}, idempotency_key = KEYS[key + 2],
    held_keys = {KEYS[key + 3], KEYS[key + 4]}, harm_keys = {KEYS[key + 5], KEYS[key + 6]},
    owner = ARGV[arg], key_life = tonumber(ARGV[arg + 1]), dead = ARGV[arg + 2], site = ARGV[arg + 3],
    place = ARGV[arg + 4], waits = ARGV[arg + 5] == '1', client = ARGV[arg + 6], waited = -1, lapsed = {},
    limits = ARGV[arg + 7] == '1' and limits or {0, 0},
    most_held = {tonumber(ARGV[arg + 8]), tonumber(ARGV[arg + 9]), tonumber(ARGV[arg + 10])},
    unproven = ARGV[arg + 11] == '1', proven_for = tonumber(ARGV[arg + 12]), harmful_ends = 0,
    network = ARGV[arg + 13],
  }
end

local addresses = {}
local function handed_out(claim, code, record, count)
  local node = record.node
  if not addresses[node] then addresses[node] = redis.call('HGET', KEYS[5], node) or '' end
  return {code, record.id, record.label, record.deadlineMs, record.deadlineMs - now, record.port, addresses[node],
    count, record.landing and 1 or 0, claim.waited, claim.lapsed, record.bare and 1 or 0, record.site or 'direct', node,
    record.replacement and 1 or 0}
end

local function refused(claim, answer)
  count_here(claim.site, 'clicked')
  count_here(claim.site, 'refused')
  return answer
end

-- What this owner was given for this key, or nil.
local function same_again(claim)
  if claim.key_life == 0 then return nil end
  local id, of = string.match(redis.call('GET', claim.idempotency_key) or '', '^(%S+) (%S+)$')
  local record = id and load_record(KEYS[3], id)
  if not record or record.state ~= 'assigned' or record.owner ~= claim.owner or record.deadlineMs <= now then
    return nil
  end
  return of == template and handed_out(claim, 1, record, 0) or {-4}
end

-- The dead one was counted; what takes its place is not counted again. Its record may be gone by now.
local function was_counted(claim)
  if claim.dead == '' then return false end
  local dead = load_record(KEYS[3], claim.dead)
  if not dead then return true end
  return dead.owner == claim.owner and dead.state ~= 'assigned'
    and (dead.reason == 'container_lost' or dead.reason == 'node_lost')
end

local function give_up_place(claim)
  if claim.place ~= '' then drop_place(KEYS[13], KEYS[14], KEYS[15], claim.place) end
end

-- The refusal of who did harm again and again, or nil.
local function did_harm(claim, of_network, of_browser)
  local until_ms = 0
  for _, text in ipairs({of_network, of_browser}) do
    local ends, paused_until = parse_harm(text, now)
    claim.harmful_ends = math.max(claim.harmful_ends, ends)
    until_ms = math.max(until_ms, paused_until)
  end
  if until_ms <= now then return nil end
  give_up_place(claim)
  return refused(claim, {-11, until_ms - now})
end

-- Which limit is met by what is listed as held: 1 client, 2 network, 3 owner; nil when none is.
local function held_scope(claim, waits_for)
  local of_client = waits_for.client
  for _, entry in ipairs(claim.held[1]) do
    if entry.client == claim.client then of_client = of_client + 1 end
  end
  for scope, count in ipairs({of_client, #claim.held[1] + waits_for.network, #claim.held[2]}) do
    if claim.most_held[scope] > 0 and count >= claim.most_held[scope] then return scope end
  end
end

-- The refusal of who holds as many as they may, or nil.
local function holds_enough(claim, waits_for)
  if not held_scope(claim, waits_for) then return nil end
  -- What ended in whichever way is on the list until somebody looks: now.
  for list = 1, 2 do claim.held[list] = still_held(claim.held[list], KEYS[3], now) end
  local scope = held_scope(claim, waits_for)
  if not scope then return nil end
  local first, theirs = math.huge, {}
  for _, entry in ipairs(claim.held[scope == 3 and 2 or 1]) do
    if scope ~= 1 or entry.client == claim.client then
      first = math.min(first, entry.record.deadlineMs)
      theirs[#theirs + 1] = entry.record.template
      theirs[#theirs + 1] = entry.record.deadlineMs
    end
  end
  give_up_place(claim)
  local left = first == math.huge and 0 or first - now
  return refused(claim, {-9, math.max(left, 1000), scope, claim.most_held[scope], theirs})
end

-- The refusal of a client that has had its share of this hour or day, or nil.
local function had_share(claim, counts, waits_for)
  for window = 1, 2 do
    if claim.limits[window] > 0 and stored_number(counts[window], 0) + waits_for.client >= claim.limits[window] then
      local key = claim.rate_keys[window]
      -- A counter that never ends was not made here.
      if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, WINDOW_MS[window]) end
      return refused(claim, {-1 - window, math.max(redis.call('PTTL', key), 1000)})
    end
  end
end

local function has_place(claim)
  return claim.place ~= '' and redis.call('ZSCORE', KEYS[13], claim.place)
end

-- Whether they may get a further place in the line, for which it counts who waits already.
local function may_queue(claim)
  return claim.waits and claim.limits[1] + claim.limits[2] + claim.most_held[1] + claim.most_held[2] > 0
    and redis.call('HEXISTS', KEYS[15], claim.place) == 0
    and redis.call('ZCOUNT', KEYS[14], '(' .. now, '+inf') < tonumber(ARGV[8])
end

-- What a client and its network wait for. Reads the whole line.
local function waits_of(claim)
  local waits_for = {client = 0, network = 0}
  for _, waiter in ipairs(redis.call('HVALS', KEYS[15])) do
    local client, _, network = parse_waiter(waiter)
    if client == claim.client then waits_for.client = waits_for.client + 1 end
    if network ~= '' and network == claim.network then waits_for.network = waits_for.network + 1 end
  end
  return waits_for
end

-- The refusal of who has had their share or has work to prove, or nil. What takes the place of a dead one has been let in
-- before. What costs the least is asked first: anybody can ask as often as they like.
local function not_admitted(claim)
  local counts = redis.call('MGET', claim.rate_keys[1], claim.rate_keys[2], claim.held_keys[1], claim.held_keys[2],
    claim.harm_keys[1], claim.harm_keys[2])
  claim.held = {parse_held(counts[3], now), parse_held(counts[4], now)}
  if claim.counted then return nil end
  local none = {client = 0, network = 0}
  local refusal = did_harm(claim, counts[5], counts[6]) or had_share(claim, counts, none) or holds_enough(claim, none)
  if refusal then return refusal end
  if (claim.unproven or claim.harmful_ends > claim.proven_for) and not has_place(claim) then
    return {-10, claim.harmful_ends}
  end
  if not may_queue(claim) then return nil end
  -- Nobody waits for more than they may have: what they wait for already counts for a further place.
  local waits_for = waits_of(claim)
  return had_share(claim, counts, waits_for) or holds_enough(claim, waits_for)
end

-- What ends sooner has too little life left, which is for the reaper, or is on a node that is avoided: it stays where it
-- is. What does not begins at `rank`, once somebody had to look for that.
local first_end, rank = math.max(now + ttl, tonumber(ARGV[11])), nil
local MOST_AT_ONCE = 128

local function is_avoided(node)
  return string.find(ARGV[10], ',' .. node .. ',', 1, true) ~= nil
end

-- Whether a record names one as we write it, nil where it is written otherwise. Thousands are passed over, so none is
-- parsed, or matched from each byte on.
local function names_avoided(text)
  local _, before = string.find(text, '"node":"', 1, true)
  return before and is_avoided(string.match(text, '^[^"]*', before + 1))
end

-- The ids, ends and records of what is ready at a rank and behind it.
local function ready_at(from, most)
  local entries, ids, ends = redis.call('ZRANGE', KEYS[1], from, from + most - 1, 'WITHSCORES'), {}, {}
  for at = 1, #entries, 2 do
    ids[#ids + 1] = entries[at]
    ends[#ends + 1] = tonumber(entries[at + 1])
  end
  return ids, ends, #ids > 0 and redis.call('HMGET', KEYS[3], unpack(ids)) or {}
end

-- Of what may be taken there is more than, and at most, so many, as far as anybody has counted.
local more_than, at_most = -1, math.huge
-- So many behind the first that may be taken are looked at for others, whatever stands there.
local MOST_COUNTED = 256

-- Whether more may be taken than who waits ahead will take. Where that would take too long to find out, it is theirs:
-- they come within seconds.
local function is_more_than(ahead)
  if ARGV[10] == '' then return redis.call('ZCOUNT', KEYS[1], '(' .. first_end, '+inf') > ahead end
  if more_than >= ahead or at_most <= ahead then return more_than >= ahead end
  rank = rank or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. first_end)
  local from, free, most, is_passing = rank, 0, math.min(ahead + 1, MOST_AT_ONCE), true
  while free <= ahead and (is_passing or from - rank < MOST_COUNTED) do
    local ids, ends, records = ready_at(from, most)
    if #ids == 0 then break end
    for at, text in ipairs(records) do
      local is_left = text and names_avoided(text)
      if text and is_left == nil then is_left = is_avoided((parse_record(text) or {}).node or '') end
      is_passing = is_passing and is_left
      if is_passing then rank, first_end = rank + 1, ends[at] end
      if text and not is_left then free = free + 1 end
    end
    from, most = from + #ids, math.min(2 * most, MOST_AT_ONCE)
  end
  if free > ahead then more_than = free - 1 else at_most = free end
  return free > ahead
end

-- Only what is taken leaves the set, and what no ready record backs: all that is passed over is there at every moment.
local function take_beyond()
  rank = rank or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. first_end)
  local most = 1
  while true do
    local ids, ends, records = ready_at(rank, most)
    if #ids == 0 then return nil end
    for at, text in ipairs(records) do
      local is_left = text and names_avoided(text)
      local record = text and not is_left and parse_record(text)
      if is_left or record and is_avoided(record.node) then
        rank, first_end = rank + 1, ends[at]
      else
        redis.call('ZREM', KEYS[1], ids[at])
        more_than = more_than - 1
        if record and record.state == 'ready' then return record end
      end
    end
    most = math.min(2 * most, MOST_AT_ONCE)
  end
end

-- Popping is one call where looking and removing would be two.
local function take_ready()
  while ARGV[10] == '' and not rank do
    local id, ends = unpack(redis.call('ZPOPMIN', KEYS[1]))
    if not id then return nil end
    if tonumber(ends) < first_end then
      redis.call('ZADD', KEYS[1], ends, id)
      break
    end
    -- An entry that no ready record backs is dropped; the next one serves the visitor.
    local record = load_record(KEYS[3], id)
    if record and record.state == 'ready' then return record end
  end
  return take_beyond()
end

-- The caller's position, and whether the place is new, after it was taken or kept; 0 where no more may wait, or where
-- it would be in vain.
local function wait_for_one(claim, target)
  local place = claim.place
  if not claim.waits or place == '' then return 0, 0 end
  local since = redis.call('ZSCORE', KEYS[13], place)
  local is_new = since and 0 or 1
  if not since then
    if target == '0' or redis.call('ZCARD', KEYS[13]) >= tonumber(ARGV[8]) then return 0, 0 end
    local end_of_line = claim.counted and 0 or -1
    local neighbour = redis.call('ZRANGE', KEYS[13], end_of_line, end_of_line, 'WITHSCORES')[2]
    if claim.counted then since = neighbour and math.min(tonumber(neighbour) - 1, now) or now
    else since = neighbour and math.max(tonumber(neighbour) + 1, now) or now end
    if not claim.counted then arrived = arrived + 1 end
    redis.call('ZADD', KEYS[13], since, place)
    local of_network = claim.network == '' and '' or ' ' .. claim.network
    redis.call('HSET', KEYS[15], place, claim.client .. ' ' .. claim.site .. of_network)
    is_line = true
  end
  keep_place(KEYS[13], KEYS[14], KEYS[15], place, now + tonumber(ARGV[7]), now)
  return redis.call('ZRANK', KEYS[13], place) + 1, is_new
end

local function none_ready(claim)
  local warming = redis.call('ZCARD', KEYS[7])
  local all = redis.call('ZCARD', KEYS[1]) + warming + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[8])
  local breaker = redis.call('HMGET', KEYS[9], 'failures', 'until_ms')
  local targets = redis.call('HMGET', KEYS[6], 'target', 'auto_target')
  local wait = math.max(pause_until(breaker[2], now) - now, 0)
  local position, is_new = wait_for_one(claim, targets[1])
  if position == 0 and not claim.counted then missed = missed + 1 end
  return {-1, now, warming, all, targets[1] or targets[2] or '', stored_number(breaker[1], 0), wait, position, claim.lapsed,
    is_new}
end

-- Whoever waited gives up their place for what they take. They came from where they clicked, whichever page asks now.
local function end_waiting(claim)
  local since = claim.place ~= '' and redis.call('ZSCORE', KEYS[13], claim.place)
  if not since then return end
  claim.waited = math.max(now - tonumber(since), 0)
  claim.site = select(2, parse_waiter(redis.call('HGET', KEYS[15], claim.place)))
  drop_place(KEYS[13], KEYS[14], KEYS[15], claim.place)
end

local function assign(claim, taken)
  taken.state = 'assigned'
  taken.owner = claim.owner
  taken.client = claim.client
  taken.assignedAtMs = now
  taken.deadlineMs = now + ttl
  if claim.site ~= 'direct' then taken.site = claim.site end
  taken.replacement = claim.counted or nil
  -- Who gets another for one that was dead did not click again.
  local clicked, had_to_wait = not claim.counted, not claim.counted and claim.waited >= 0
  if is_heard then
    write_event(KEYS[11], KEYS[12], taken, 'claimed', had_to_wait and 3 or clicked and 2 or 1, {
      atMs = now,
      deadlineMs = taken.deadlineMs,
      waitedMs = had_to_wait and claim.waited or nil,
      replacement = claim.counted or nil,
    })
  end
  if clicked then count_here(claim.site, 'clicked') end
  if clicked and not had_to_wait then arrived = arrived + 1 end
  if had_to_wait then count_here(claim.site, 'waited') end
  count_here(claim.site, 'handed_over')
  save_record(KEYS[3], taken)
  redis.call('ZADD', KEYS[2], taken.deadlineMs, taken.id)
  if claim.key_life > 0 then
    redis.call('SET', claim.idempotency_key, taken.id .. ' ' .. template, 'PX', claim.key_life)
  end
  for list, most in ipairs({math.max(claim.most_held[1], claim.most_held[2]), claim.most_held[3]}) do
    if most > 0 then list_held(claim.held_keys[list], claim.held[list], taken, claim.client, now, longest_stay) end
  end
  for window = 1, 2 do
    local key = claim.rate_keys[window]
    if not claim.counted and claim.limits[window] > 0 and count_up(key) == 1 then
      redis.call('PEXPIRE', key, WINDOW_MS[window])
    end
  end
  takes = takes + 1
  return handed_out(claim, 0, taken, takes_before + takes)
end

local function serve(at)
  local claim = claim_at(at)
  local again = same_again(claim)
  if again then return again end
  if paused then
    return refused(claim, {-7, math.max(stored_number(control[2], 0) - now, 30000), control[3] or ''})
  end
  claim.counted = was_counted(claim)
  local refusal = not_admitted(claim)
  if refusal then return refusal end
  -- What somebody ahead waits for is theirs. Who was given a dead one had their turn and does not queue again.
  local somebody_waits = is_line and redis.call('EXISTS', KEYS[13]) == 1
  local theirs = false
  if somebody_waits then
    claim.lapsed = drop_lapsed_places(KEYS[13], KEYS[14], KEYS[15], now, KEYS[10], template)
    local ahead = claim.counted and 0 or places_ahead(KEYS[13], claim.place)
    theirs = ahead > 0 and not is_more_than(ahead)
  end
  local taken = not theirs and take_ready()
  if not taken then return none_ready(claim) end
  if somebody_waits then end_waiting(claim) end
  return assign(claim, taken)
end

local answers = {}
for at = 1, size do
  local served, answer = pcall(serve, at)
  answers[at] = served and answer or {-8, type(answer) == 'table' and answer.err or tostring(answer)}
end
for field, by in pairs(steps) do count_funnel(KEYS[10], field, by) end
if takes > 0 then count_up(KEYS[4], nil, takes) end
local bucket = math.floor(now / BUCKET_MS)
for field, by in pairs({[bucket] = arrived, [bucket .. ' missed'] = missed}) do
  if by > 0 and count_up(KEYS[16], field, by) == by then redis.call('PEXPIRE', KEYS[16], ARRIVALS_MS) end
end
if ARGV[10] ~= '' then answers[size + 1] = {math.min(first_end, LARGEST)} end
return answers
