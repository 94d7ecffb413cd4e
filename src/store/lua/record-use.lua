-- Notes that instances are in use, that whoever reports it is still watching, and which step of its visit that shows.
-- KEYS[1] hostnames
-- KEYS[2] last_used            zset, id by when it was last seen in use (ms)
-- KEYS[3] use_reporters        hash, reporter → when it reported last (ms); `left:` before it: with nothing more to tell, and
--   it is not waited for
-- KEYS[4] use_known_since      string: before this time instances may have been used without a report (ms)
-- KEYS[5] instances  [6] funnel:<day>  [7] event_outbox  [8] event_settings
-- ARGV[1] reporter, or '' for a sign of use that nobody watches for  [2] '' while it goes on; 'more': this is no report
--   yet, the rest of it follows; in its last report for how long (ms) it is waited for, 0: not at all, less: not at all,
--   and it has missed nothing if it comes back
-- ARGV[3] how long after its first page a visit that is still used is active (ms)
-- ARGV[4] a reporter that is silent for this long (ms) is gone for good
-- ARGV[5…] by turns, a few hundred at most: label of an instance that was used, how long ago (ms), or -1 where that
--   shows no step; or its id, and -2
-- Returns {{for each label: -1 when it will show no further step, else the ms until it may}, {template, site, step, …}}
local now = now_ms()
if ARGV[1] ~= '' and ARGV[2] ~= 'more' then
  if ARGV[2] == '0' then redis.call('HDEL', KEYS[3], ARGV[1])
  elseif ARGV[2] ~= '' and tonumber(ARGV[2]) < 0 then
    if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then redis.call('HSET', KEYS[3], ARGV[1], 'left:' .. now) end
  elseif ARGV[2] ~= '' then
    -- As if it had been silent for the rest of the time already.
    if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
      redis.call('HSET', KEYS[3], ARGV[1], now - tonumber(ARGV[4]) + tonumber(ARGV[2]))
    end
  -- What went through before it began to watch, nobody has seen.
  elseif redis.call('HSET', KEYS[3], ARGV[1], now) == 1 then
    redis.call('SET', KEYS[4], now)
    -- Where no template asks what is unused, nobody else forgets those that were killed.
    local reporters = redis.call('HGETALL', KEYS[3])
    for index = 1, #reporters, 2 do
      if now - parse_reporter(reporters[index + 1]) > tonumber(ARGV[4]) then
        redis.call('HDEL', KEYS[3], reporters[index])
      end
    end
  end
end

local noted = {}

local function note(record, step, used_at)
  note_step(KEYS[6], KEYS[7], KEYS[8], record, step, {atMs = used_at})
  redis.call('HSET', KEYS[5], record.id, cjson.encode(record))
  for _, value in ipairs({record.template, record.site or 'direct', step}) do noted[#noted + 1] = value end
end

-- What nobody has been given yet is asked for by ourselves.
local function show_step(id, used_at)
  local record = load_record(KEYS[5], id)
  if not record or record.state ~= 'assigned' or used_at < record.assignedAtMs then return 0 end
  if has_noted(record, 'active') then return -1 end
  if not has_noted(record, 'first_page') then
    -- Only the proxy sees pages.
    if ARGV[1] == '' then return 0 end
    record.firstPageMs = used_at
    note(record, 'first_page', used_at)
    return tonumber(ARGV[3])
  end
  local left = stored_number(record.firstPageMs, now) + tonumber(ARGV[3]) - used_at
  if left > 0 then return left end
  note(record, 'active', used_at)
  return -1
end

local function id_of(label)
  local readable, decoded = pcall(cjson.decode, redis.call('HGET', KEYS[1], label) or '')
  local id = readable and type(decoded) == 'table' and decoded.id
  return type(id) == 'string' and id or nil
end

local waits = {}
for index = 5, #ARGV, 2 do
  local ago = tonumber(ARGV[index + 1])
  local id = ago == -2 and ARGV[index] or id_of(ARGV[index])
  -- Only those that find-unused.lua has put there: of other templates nobody asks.
  if id then redis.call('ZADD', KEYS[2], 'XX', 'GT', now, id) end
  waits[#waits + 1] = id and ago >= 0 and show_step(id, now - ago) or 0
end
return {waits, noted}
