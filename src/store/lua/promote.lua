-- Puts a checkpoint before all others of its template; it has to prove itself again.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>
-- ARGV[1] id  [2] '1': the configuration names it, and nothing happens if it named this one last  [3] longest history
-- Returns {0|1 changed, id of the one replaced or ''}
local id = ARGV[1]
if ARGV[2] == '1' then
  if redis.call('HGET', KEYS[2], 'configured') == id then return {0, ''} end
  redis.call('HSET', KEYS[2], 'configured', id)
end
local replaced = redis.call('LINDEX', KEYS[1], 0) or ''
if replaced == id then return {0, ''} end

redis.call('LREM', KEYS[1], 0, id)
redis.call('LPUSH', KEYS[1], id)
redis.call('HDEL', KEYS[2], 'failures', 'proven:' .. id)
if redis.call('HGET', KEYS[2], 'withdrawn') == id then redis.call('HDEL', KEYS[2], 'withdrawn') end
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[3]) do
  redis.call('HDEL', KEYS[2], 'proven:' .. redis.call('RPOP', KEYS[1]))
end
return {1, replaced}
