-- A ready instance of the template has stayed healthy: those that did not are forgiven.
-- KEYS[1] refill_pause:<template>
-- ARGV[1] failures that open the breaker
-- Returns 1 when that closes the breaker
local unhealthy = stored_number(redis.call('HGET', KEYS[1], 'unhealthy'), 0)
if unhealthy == 0 then return 0 end
redis.call('DEL', KEYS[1])
return unhealthy >= tonumber(ARGV[1]) and 1 or 0
