-- A name resolves exactly while its instance is warming, ready or assigned and has a port.
-- KEYS[1] instances  [2] hostnames  [3] hostname_changes   ARGV[1] label  [2] id
-- Returns 1 when the name was taken out or put back
local label, id = ARGV[1], ARGV[2]
if is_unreadable(KEYS[1], id) then return 0 end
local record = load_record(KEYS[1], id)
local live = record and record.label == label and record.port ~= cjson.null
  and (record.state == 'ready' or record.state == 'assigned' or record.state == 'warming')
local present = redis.call('HEXISTS', KEYS[2], label) == 1
if present and not live then
  drop_hostname(KEYS[2], KEYS[3], label)
  return 1
end
-- A warming instance publishes its own name when its container has started.
if live and not present and record.state ~= 'warming' then
  publish_hostname(KEYS[2], KEYS[3], record)
  return 1
end
return 0
