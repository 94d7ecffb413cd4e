-- The current checkpoint is good: failures are forgiven, and this node's pause is over. Writes only what changes.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>  [3] restore_pause:<template> of the node
-- ARGV[1] id
-- Returns 1, or 0 when the id is not the current one
local id = ARGV[1]
if redis.call('LINDEX', KEYS[1], 0) ~= id then return 0 end
local known = redis.call('HMGET', KEYS[2], 'proven:' .. id, 'failures')
if not known[1] then redis.call('HSET', KEYS[2], 'proven:' .. id, 1) end
if known[2] then redis.call('HDEL', KEYS[2], 'failures') end
redis.call('DEL', KEYS[3])
return 1
