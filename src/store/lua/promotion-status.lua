-- Reads a template's promoted checkpoints and how its restores fare.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>
-- Returns {{ids, the current one first}, '1' or '' whether that one is proven, failures, withdrawn id or ''}
local ids = redis.call('LRANGE', KEYS[1], 0, -1)
local known = redis.call('HMGET', KEYS[2], 'proven:' .. (ids[1] or ''), 'failures', 'withdrawn')
return {ids, known[1] or '', stored_number(known[2], 0), known[3] or ''}
