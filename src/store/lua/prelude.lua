-- Prepended to every script. The server's clock is the only clock that decides about state.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Beyond it neither a number of Lua nor one of JavaScript is exact.
local LARGEST = 2 ^ 53

local function is_whole(value)
  return type(value) == 'number' and value >= 0 and value <= LARGEST and value == math.floor(value)
end

-- The whole number that is stored as this text; `otherwise` without one, and for what somebody else may have written.
local function stored_number(text, otherwise)
  local number = text and tonumber(text)
  return is_whole(number) and number or otherwise
end

-- Of an entry of use_reporters: when it reported last (ms), and whether it left then with nothing more to tell.
local function parse_reporter(text)
  local left_at = string.match(text, '^left:(.*)$')
  return stored_number(left_at or text, 0), left_at ~= nil
end

-- A pause lasts minutes, and its key an hour: what ends later was not written by us.
local LONGEST_PAUSE_MS = 3600000

-- Until when a stored pause lasts; 0 without one.
local function pause_until(text, now)
  local until_ms = stored_number(text, 0)
  return until_ms <= now + LONGEST_PAUSE_MS and until_ms or 0
end

-- A port rests for an hour at most, and the clocks of two servers of the store differ by seconds. What rests longer was
-- noted while a clock was ahead.
local LONGEST_REST_MS = 3660000

-- The two ranges of scores of cooling_ports whose ports rest no more.
local function rested_ranges(now)
  return {{'-inf', now}, {'(' .. now + LONGEST_REST_MS, '+inf'}}
end

-- Whether somebody works on it: a lease lasts seconds, and one that ends much later is of a clock that was ahead.
local function is_at_work(record, now)
  local until_ms = record.leaseUntilMs or 0
  return record.state == 'warming' and until_ms > now and until_ms <= now + LONGEST_PAUSE_MS
end

-- Raises a stored counter, or a hash's field, and returns it; one that is no number begins again. By one, if not told.
local function count_up(key, field, by)
  by = by or 1
  local raised
  if field then raised = redis.pcall('HINCRBY', key, field, by) else raised = redis.pcall('INCRBY', key, by) end
  if type(raised) == 'number' and raised > 0 then return raised end
  if field then redis.call('HSET', key, field, by) else redis.call('SET', key, by) end
  return by
end

-- Whether the scripts can work with it: what they compare and count with is there, in the states they do so.
local function is_sound(record)
  local lease, failures, events = record.leaseUntilMs, record.failures, record.events
  if type(record.id) ~= 'string' or type(record.label) ~= 'string' then return false end
  if type(record.node) ~= 'string' or type(record.state) ~= 'string' then return false end
  if lease ~= nil and not is_whole(lease) or failures ~= nil and not is_whole(failures) then return false end
  if events ~= nil and not is_whole(events) or not is_whole(record.generation) then return false end
  if record.port ~= cjson.null and not is_whole(record.port) then return false end
  if record.state == 'ready' then return is_whole(record.endOfLifeMs) end
  if record.state ~= 'assigned' then return true end
  return is_whole(record.assignedAtMs) and is_whole(record.deadlineMs) and is_whole(record.endOfLifeMs)
end

-- The record in `text`, or nil when it is damaged or of a version this script does not know.
local function parse_record(text)
  local readable, record = pcall(cjson.decode, text)
  if not readable or type(record) ~= 'table' or record.v ~= 1 or not is_sound(record) then return nil end
  return record
end

-- The record of `id`, or nil when there is none that this script can read.
local function load_record(instances, id)
  local text = redis.call('HGET', instances, id)
  return text and parse_record(text) or nil
end

-- The warming record of `id` if it belongs to this attempt: another one's is nobody else's to change.
local function load_attempt(instances, id, attempt)
  local record = load_record(instances, id)
  if not record or record.state ~= 'warming' or record.attempt ~= attempt then return nil end
  return record
end

-- The leaving record of `id` in this state, if it is still this attempt's: the id may have had another life since.
local function load_leaving(instances, id, attempt, state)
  local record = load_record(instances, id)
  if not record or record.state ~= state or (record.attempt or '') ~= attempt then return nil end
  return record
end

-- Stores the record under the next generation and returns its text.
local function save_record(instances, record)
  record.generation = record.generation + 1
  local text = cjson.encode(record)
  redis.call('HSET', instances, record.id, text)
  return text
end

-- The name resolves no longer; discovery hears of it through the stream.
local function drop_hostname(hostnames, changes, label)
  if redis.call('HDEL', hostnames, label) == 1 then
    redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'label', label, 'entry', '')
  end
end

-- The name resolves to the instance's node and port.
local function publish_hostname(hostnames, changes, record)
  local entry = cjson.encode({v = 1, id = record.id, node = record.node, port = record.port})
  redis.call('HSET', hostnames, record.label, entry)
  redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'label', record.label, 'entry', entry)
end

-- There is a record, but damaged or of a version this script does not know: whatever hangs on it is left alone.
local function is_unreadable(instances, id)
  local text = redis.call('HGET', instances, id)
  return text and not parse_record(text)
end

-- What visits came to is kept for so long, by day.
local FUNNEL_MS = 90 * 86400000

local function funnel_field(template, site, step)
  return template .. ' ' .. site .. ' ' .. step
end

-- Counts what that many did on the day that `funnel` stands for.
local function count_funnel(funnel, field, by)
  if count_up(funnel, field, by) == by then redis.call('PEXPIRE', funnel, FUNNEL_MS) end
end

-- Counts a step of a visit.
local function count_step(funnel, template, site, step)
  count_funnel(funnel, funnel_field(template, site, step), 1)
end

-- Whether an event is written down. Nobody wants to hear of any without a limit; an outbox that is full, with so many
-- times that limit, takes nothing more and counts that.
local function is_written(outbox, settings, times)
  local limit = stored_number(redis.call('HGET', settings, 'limit'), 0)
  if limit == 0 then return false end
  if redis.call('XLEN', outbox) < times * limit then return true end
  count_up(settings, 'dropped')
  return false
end

-- Writes down what happened to a visit, for who wants to hear of it, as `events` events. The record counts its events:
-- save it afterwards.
local function write_event(outbox, settings, record, kind, events, about)
  -- What a visitor told of themselves is told nobody twice: it has room of its own.
  if not is_written(outbox, settings, about.lead and 2 or 1) then return end
  local before = stored_number(record.events, 0)
  record.events = before + events
  about.v = 1
  about.kind = kind
  about.id = record.id
  about.template = record.template
  about.site = record.site or 'direct'
  about.sequence = before + 1
  redis.call('XADD', outbox, '*', 'event', cjson.encode(about))
end

-- The same of what came of an image's trial (JSON), '' nothing.
local function write_image_event(outbox, settings, event)
  if event ~= '' and is_written(outbox, settings, 1) then redis.call('XADD', outbox, '*', 'event', event) end
end

-- Steps that a visit takes once are noted in its record.
local function has_noted(record, step)
  return string.find(record.noted or '', ',' .. step .. ',', 1, true) ~= nil
end

-- Save the record afterwards.
local function note_step(funnel, outbox, settings, record, step, about)
  record.noted = (record.noted or ',') .. step .. ','
  write_event(outbox, settings, record, step, 1, about)
  count_step(funnel, record.template, record.site or 'direct', step)
end

-- Whose limits a place counts for, the embedding site that who waits there came from, and the client's network, which
-- may be unknown: ''.
local function parse_waiter(text)
  local client, site, network = string.match(text or '', '^(%S+) (%S+) ?(%S*)$')
  return client or text, site or 'direct', network or ''
end

-- A click that came to nothing: who waited left, or was not heard of any more. Returns the embedding site.
local function count_gave_up(funnel, template, waiter)
  local _, site = parse_waiter(waiter)
  count_step(funnel, template, site, 'clicked')
  count_step(funnel, template, site, 'gave_up')
  return site
end

-- Those who were not heard of in time lose their place, and so does what is in one of the two sets only: nobody waits
-- behind somebody who is not there. Returns the embedding sites of those who lapsed, some hundred at a time.
local function drop_lapsed_places(waiting, leases, clients, now, funnel, template)
  local gone = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 200)
  local function drop()
    if #gone == 0 then return end
    redis.call('ZREM', waiting, unpack(gone))
    redis.call('ZREM', leases, unpack(gone))
    redis.call('HDEL', clients, unpack(gone))
  end
  local lapsed = {}
  for index, place in ipairs(gone) do
    lapsed[index] = count_gave_up(funnel, template, redis.call('HGET', clients, place))
  end
  drop()
  if redis.call('ZCARD', waiting) ~= redis.call('ZCARD', leases) then
    for _, pair in ipairs({{waiting, leases}, {leases, waiting}}) do
      gone = {}
      for _, place in ipairs(redis.call('ZRANGE', pair[1], 0, 199)) do
        if not redis.call('ZSCORE', pair[2], place) then gone[#gone + 1] = place end
      end
      drop()
    end
  end
  return lapsed
end

local function drop_place(waiting, leases, clients, place)
  redis.call('ZREM', waiting, place)
  redis.call('ZREM', leases, place)
  redis.call('HDEL', clients, place)
end

-- Keeps a place until then. The keys end by themselves once nobody waits any more.
local function keep_place(waiting, leases, clients, place, until_ms, now)
  redis.call('ZADD', leases, until_ms, place)
  for _, key in ipairs({waiting, leases, clients}) do redis.call('PEXPIRE', key, 3 * (until_ms - now) + 60000) end
end

-- How many wait ahead of this place; of one that is not there, how many wait at all.
local function places_ahead(waiting, place)
  return place ~= '' and redis.call('ZRANK', waiting, place) or redis.call('ZCARD', waiting)
end

-- Who holds what: the entries of a list that are not long over, in the order of their claims.
local function parse_held(text, now)
  local entries = {}
  for id, until_ms, client in string.gmatch(text or '', '(%S+) (%d+) (%S+)') do
    if tonumber(until_ms) > now then entries[#entries + 1] = {id = id, until_ms = tonumber(until_ms), client = client} end
  end
  return entries
end

-- Those of the entries whose records say that they are held, each with its record.
local function still_held(entries, instances, now)
  local kept = {}
  for _, entry in ipairs(entries) do
    entry.record = load_record(instances, entry.id)
    if entry.record and entry.record.state == 'assigned' and entry.record.deadlineMs > now then
      kept[#kept + 1] = entry
    end
  end
  return kept
end

-- Stores a list with one more entry. It ends by itself when none of its instances can be held any more.
local function list_held(key, entries, record, client, now, longest_ms)
  local last = math.min(now + longest_ms, record.endOfLifeMs)
  entries[#entries + 1] = {id = record.id, until_ms = last, client = client}
  local lines = {}
  for index, entry in ipairs(entries) do
    lines[index] = string.format('%s %.0f %s', entry.id, entry.until_ms, entry.client)
    last = math.max(last, entry.until_ms)
  end
  redis.call('SET', key, table.concat(lines, '\n'), 'PX', math.max(last - now, 1))
end

-- What a memory of harm says: how many visits ended for it, and until when nothing is handed out (ms, 0: it is). What
-- would last for more than a day was not written by us.
local function parse_harm(text, now)
  local ends, until_ms = string.match(text or '', '^(%d+) (%d+)$')
  local paused_until = stored_number(until_ms, 0)
  return stored_number(ends, 0), paused_until <= now + 86400000 and paused_until or 0
end

-- Puts a checkpoint before all others of its template; it has to prove itself again. Returns 0 or 1, whether that
-- changed anything, and the id of the one replaced or ''.
local function put_first(checkpoints, restores, id, longest)
  local replaced = redis.call('LINDEX', checkpoints, 0) or ''
  if replaced == id then return 0, '' end
  redis.call('LREM', checkpoints, 0, id)
  redis.call('LPUSH', checkpoints, id)
  redis.call('HDEL', restores, 'failures', 'proven:' .. id)
  if redis.call('HGET', restores, 'withdrawn') == id then redis.call('HDEL', restores, 'withdrawn') end
  while redis.call('LLEN', checkpoints) > longest do
    redis.call('HDEL', restores, 'proven:' .. redis.call('RPOP', checkpoints))
  end
  return 1, replaced
end
