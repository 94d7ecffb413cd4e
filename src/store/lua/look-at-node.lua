-- What is known of a node: what it said last, what an operator decided, and how full it is.
-- KEYS[1] heartbeat:<node>  [2] node_control:<node>  [3] held_ports  [4] placed:<node>  [5] available_ports
-- KEYS[6] cooling_ports  [7] lost_nodes  [8] losses:<node>
-- ARGV[1] node
-- Returns the heartbeat's text or '', for how long it still counts (ms), mode, since and deadline (or ''), instances
-- that hold a port, tickets without one, free ports, the time, since when it is taken for lost (or ''), how often it was
-- of late
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
local lost_since = redis.call('HGET', KEYS[7], ARGV[1])
local control = redis.call('HMGET', KEYS[2], 'mode', 'since_ms', 'deadline_ms')
return {
  redis.call('GET', KEYS[1]) or '',
  redis.call('PTTL', KEYS[1]),
  control[1] or '',
  control[2] or '',
  control[3] or '',
  redis.call('HLEN', KEYS[3]),
  redis.call('ZCARD', KEYS[4]),
  redis.call('SCARD', KEYS[5]) + redis.call('ZCOUNT', KEYS[6], '-inf', now),
  now,
  lost_since and stored_number(lost_since, now) or '',
  stored_number(redis.call('GET', KEYS[8]), 0),
}
