-- From the third failure in a row on, the node pauses: 1 s * 2^failures, 10 min at most. A checkpoint that has failed
-- three times and never restored anywhere gives way to the one before it.
-- KEYS[1] checkpoints:<template>  [2] restores:<template>  [3] restore_pause:<template> of the node
-- ARGV[1] id
-- Returns {pause (ms), 1 when it was taken out, id that is current now or ''}; a report about another id
--         changes nothing
local id = ARGV[1]
local current = redis.call('LINDEX', KEYS[1], 0) or ''
if current ~= id then return {0, 0, current} end

local failures = count_up(KEYS[2], 'failures')
if failures >= 3 and redis.call('HEXISTS', KEYS[2], 'proven:' .. id) == 0 then
  redis.call('LPOP', KEYS[1])
  redis.call('HDEL', KEYS[2], 'failures')
  redis.call('HSET', KEYS[2], 'withdrawn', id)
  redis.call('DEL', KEYS[3])
  return {0, 1, redis.call('LINDEX', KEYS[1], 0) or ''}
end

-- Failures of another checkpoint say nothing about this one.
if redis.call('HGET', KEYS[3], 'checkpoint') ~= id then redis.call('DEL', KEYS[3]) end
redis.call('HSET', KEYS[3], 'checkpoint', id)
local here = count_up(KEYS[3], 'failures')
redis.call('PEXPIRE', KEYS[3], 3600000)
if here < 3 then return {0, 0, id} end
local pause = math.min(600000, 1000 * 2 ^ math.min(here, 10))
redis.call('HSET', KEYS[3], 'until_ms', now_ms() + pause)
return {pause, 0, id}
