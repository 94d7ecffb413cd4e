-- The database of a releasing instance is gone; the record must not keep naming it.
-- KEYS[1] instances
-- ARGV[1] id  [2] attempt
-- Returns 1 when it was noted, 0 when there was none to note, -1 refused: its container may still use it
local record = load_leaving(KEYS[1], ARGV[1], ARGV[2], 'releasing')
if not record or record.database == cjson.null then return 0 end
if record.step ~= 'container_gone' then return -1 end
record.database = cjson.null
record.step = 'database_dropped'
save_record(KEYS[1], record)
return 1
