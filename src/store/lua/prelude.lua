-- Prepended to every script. The server's clock is the only clock that decides about state.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The record in `text`, or nil when it is damaged or of a version this script does not know.
local function parse_record(text)
  local readable, record = pcall(cjson.decode, text)
  if not readable or type(record) ~= 'table' or record.v ~= 1 then return nil end
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
