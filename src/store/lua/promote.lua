-- Puts a checkpoint before all others of its template; it has to prove itself again.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>
-- ARGV[1] id  [2] '1': the configuration names it, and nothing happens if it named this one last  [3] longest history
-- Returns {0|1 changed, id of the one replaced or ''}
local id = ARGV[1]
if ARGV[2] == '1' then
  if redis.call('HGET', KEYS[2], 'configured') == id then return {0, ''} end
  redis.call('HSET', KEYS[2], 'configured', id)
end
local changed, replaced = put_first(KEYS[1], KEYS[2], id, tonumber(ARGV[3]))
return {changed, replaced}
