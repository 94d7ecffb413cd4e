-- A name resolves exactly while its instance is warming, ready or assigned and has a port, and to that port.
-- KEYS[1] instances  [2] hostnames  [3] hostname_changes
-- ARGV[1] label  [2] id  [3] '1': only say what is wrong
-- Returns '' when all is well, else stale (taken out) | missing (put back) | astray (led elsewhere)
local label, id = ARGV[1], ARGV[2]
local only_look = ARGV[3] == '1'
if is_unreadable(KEYS[1], id) then return '' end
local record = load_record(KEYS[1], id)
local live = record and record.label == label and record.port ~= cjson.null
  and (record.state == 'ready' or record.state == 'assigned' or record.state == 'warming')
local text = redis.call('HGET', KEYS[2], label)
local readable, entry = pcall(cjson.decode, text or '')
-- Of a version this script does not know: not ours to change.
if text and readable and type(entry) == 'table' and entry.v ~= 1 then return '' end
if text and not live then
  if not only_look then drop_hostname(KEYS[2], KEYS[3], label) end
  return 'stale'
end
if live and text then
  if readable and type(entry) == 'table' and entry.id == id and entry.node == record.node
    and entry.port == record.port then
    return ''
  end
  if not only_look then publish_hostname(KEYS[2], KEYS[3], record) end
  return 'astray'
end
-- A warming instance publishes its own name when its container has started.
if live and record.state ~= 'warming' then
  if not only_look then publish_hostname(KEYS[2], KEYS[3], record) end
  return 'missing'
end
return ''
