-- Which visitors' instances of a template nobody has used for a while, and which last longer since they are used. Looks at
-- some of them, in the order in which they end, the last first: a claim meanwhile has one looked at twice, and none left
-- out.
-- KEYS[1] assigned:<template>  [2] last_used  [3] instances
-- KEYS[4] use_reporters        as record-use.lua has it: without one that sees requests, nobody knows of any use
-- KEYS[5] use_known_since
-- ARGV[1] unused for (ms), 0: not asked for  [2] how long after its last use one lasts (ms), 0: not asked for
-- ARGV[3] by how much a deadline has to fall short of that (ms)
-- ARGV[4] a reporter that is silent for this long (ms) may have seen what it has not told
-- ARGV[5] and for this long (ms) is gone for good  [6] entries of last_used older than this (ms) go
-- ARGV[7] what the names of reporters begin with that see connections alone
-- ARGV[8] how many to pass over  [9] how many to look at then, a few hundred at most
-- ARGV[10…] ids, a few hundred at most: look at these instead
-- Returns {2 when every use is known of, 1 when every request is, or 0, how many there were to look at,
--   {id, unused since (ms), …}, {id, last use (ms), … to last longer}}
-- An instance may be in both.
local now = now_ms()
local watched, requests_known, connections_known = false, true, true
local reporters = redis.call('HGETALL', KEYS[4])
for index = 1, #reporters, 2 do
  local sees_requests = string.sub(reporters[index], 1, #ARGV[7]) ~= ARGV[7]
  local told_at, has_left = parse_reporter(reporters[index + 1])
  local silent = now - told_at
  if silent > tonumber(ARGV[5]) then
    redis.call('HDEL', KEYS[4], reporters[index])
    if not has_left then redis.call('SET', KEYS[5], now) end
  end
  watched = watched or (sees_requests and not has_left)
  if silent > tonumber(ARGV[4]) and not has_left then
    if sees_requests then requests_known = false else connections_known = false end
  end
end
local known = 0
if watched and requests_known then known = connections_known and 2 or 1 end
local known_since = stored_number(redis.call('GET', KEYS[5]), now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[6]))

local unused_for, lasts, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local unused, used = {}, {}
local held = {}
if ARGV[10] then
  for index = 10, #ARGV do
    local deadline = redis.call('ZSCORE', KEYS[1], ARGV[index])
    if deadline then
      held[#held + 1] = ARGV[index]
      held[#held + 1] = deadline
    end
  end
else
  local first = tonumber(ARGV[8])
  held = redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[9]) - 1, 'REV', 'WITHSCORES')
end
for index = 1, #held, 2 do
  local id, deadline = held[index], tonumber(held[index + 1])
  local last = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
  if not last then
    local record = load_record(KEYS[3], id)
    if record and record.state == 'assigned' then
      last = record.assignedAtMs
      redis.call('ZADD', KEYS[2], 'NX', last, id)
    end
  end
  if last and deadline > now then
    local since = math.max(last, known_since)
    if unused_for > 0 and now - since >= unused_for then
      unused[#unused + 1] = id
      unused[#unused + 1] = since
    end
    if lasts > 0 and last + lasts - deadline >= step then
      used[#used + 1] = id
      used[#used + 1] = last
    end
  end
end
return {known, #held / 2, unused, used}
