-- Drops the current checkpoint out of the history, so that a second rollback goes one further back.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>
-- Returns {id dropped, id that is current now or ''}, 0 when none is promoted
local dropped = redis.call('LPOP', KEYS[1])
if not dropped then return 0 end
redis.call('HDEL', KEYS[2], 'failures', 'proven:' .. dropped)
return {dropped, redis.call('LINDEX', KEYS[1], 0) or ''}
