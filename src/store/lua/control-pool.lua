-- An operator pauses, drains or reopens a template, or cordons, drains or reopens a node.
-- KEYS[1] pool_control:<template> or node_control:<node>
-- ARGV[1] 'paused', 'cordoned', 'draining' or 'open'  [2] deadline from now (ms) or ''  [3] reason or ''
-- Returns the deadline, or 0 without one
local mode, within, reason = ARGV[1], ARGV[2], ARGV[3]
if mode == 'open' then
  redis.call('HDEL', KEYS[1], 'mode', 'since_ms', 'deadline_ms', 'reason')
  return 0
end
local now = now_ms()
redis.call('HSET', KEYS[1], 'mode', mode, 'since_ms', now)
redis.call('HDEL', KEYS[1], 'deadline_ms', 'reason')
if reason ~= '' then redis.call('HSET', KEYS[1], 'reason', reason) end
if within == '' then return 0 end
redis.call('HSET', KEYS[1], 'deadline_ms', now + tonumber(within))
return now + tonumber(within)
