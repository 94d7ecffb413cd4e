-- Failures of another version of a template say nothing about this one.
-- KEYS[1] refill_pause:<template>
-- ARGV[1] version
-- Returns 1 when they were forgiven
local failed = redis.call('HGET', KEYS[1], 'version')
if failed and failed ~= ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
