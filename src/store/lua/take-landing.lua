-- Hands out the path that the instance's activation gave for its visitor's first step, and forgets it.
-- KEYS[1] instances
-- ARGV[1] id  [2] owner
-- Returns the path, or '' when there is none (any more), or the instance is not this owner's
local record = load_record(KEYS[1], ARGV[1])
if not record or record.state ~= 'assigned' or record.owner ~= ARGV[2] or record.deadlineMs <= now_ms() then return '' end
local landing = record.landing
if type(landing) ~= 'string' then return '' end
record.landing = nil
-- The same generation: an extend that is under way has nothing to do with it.
redis.call('HSET', KEYS[1], record.id, cjson.encode(record))
return landing
