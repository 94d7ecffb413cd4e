-- From here on the name resolves to the instance's node and port.
-- KEYS[1] instances  [2] hostnames  [3] hostname_changes   ARGV[1] id
-- Returns 1, or 0 when the instance is not warming with a port
local record = load_record(KEYS[1], ARGV[1])
if not record or record.state ~= 'warming' or record.port == cjson.null then return 0 end
publish_hostname(KEYS[2], KEYS[3], record)
return 1
