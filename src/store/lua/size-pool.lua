-- Keeps how many a pool that sizes itself should have ready, and ends what an operator set for a time.
-- KEYS[1] pool_control:<template>  [2] pool_size:<template>
-- ARGV[1] target, or '' for a pool of a fixed size  [2] the decision as JSON, or ''  [3] how long it is kept (ms)
-- Returns 1 when an operator's target ended, else 0
local until_ms = stored_number(redis.call('HGET', KEYS[1], 'target_until_ms'), nil)
local ended = until_ms and until_ms <= now_ms()
if ended then redis.call('HDEL', KEYS[1], 'target', 'target_until_ms') end
if ARGV[1] == '' then
  redis.call('HDEL', KEYS[1], 'auto_target')
  redis.call('DEL', KEYS[2])
else
  redis.call('HSET', KEYS[1], 'auto_target', ARGV[1])
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
return ended and 1 or 0
