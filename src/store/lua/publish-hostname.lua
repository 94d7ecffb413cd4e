-- From here on the name resolves to the instance's node and port.
-- KEYS[1] instances  [2] hostnames  [3] hostname_changes
-- ARGV[1] id  [2] attempt
-- Returns 1, or 0 when the record is not this attempt's any more, has no port, or does not say that it was activated:
--         a failover may have lost that, and where its visitor is to land
local record = load_attempt(KEYS[1], ARGV[1], ARGV[2])
if not record or record.port == cjson.null then return 0 end
if record.step ~= 'activated' and record.step ~= 'named' then return 0 end
record.step = 'named'
save_record(KEYS[1], record)
publish_hostname(KEYS[2], KEYS[3], record)
return 1
