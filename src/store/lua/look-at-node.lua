-- What is known of a node: what it said last, what an operator decided, and how full it is.
-- KEYS[1] heartbeat:<node>  [2] node_control:<node>  [3] held_ports  [4] placed:<node>  [5] available_ports
-- KEYS[6] cooling_ports
-- Returns the heartbeat's text or '', for how long it still counts (ms), mode, since and deadline (or ''), instances
-- that hold a port, tickets without one, free ports, the time
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
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
}
