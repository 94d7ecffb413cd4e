-- What is known of nodes: what each said last, what an operator decided, and how full it is.
-- KEYS[1] lost_nodes  [2…] of each node these seven: heartbeat:<node>, node_control:<node>, held_ports, placed:<node>,
-- available_ports, cooling_ports, losses:<node>
-- ARGV[1…] the nodes
-- Returns for each node the heartbeat's text or '', for how long it still counts (ms), mode, since and deadline (or ''),
-- instances that hold a port, tickets without one, free ports, the time, since when it is taken for lost (or ''), how
-- often it was of late
local now = now_ms()
local nodes = {}
for index = 1, #ARGV do
  local at = 7 * index - 5
  redis.call('ZREMRANGEBYSCORE', KEYS[at + 3], '-inf', now)
  local lost_since = redis.call('HGET', KEYS[1], ARGV[index])
  local control = redis.call('HMGET', KEYS[at + 1], 'mode', 'since_ms', 'deadline_ms')
  nodes[index] = {
    redis.call('GET', KEYS[at]) or '',
    redis.call('PTTL', KEYS[at]),
    control[1] or '',
    control[2] or '',
    control[3] or '',
    redis.call('HLEN', KEYS[at + 2]),
    redis.call('ZCARD', KEYS[at + 3]),
    redis.call('SCARD', KEYS[at + 4]) + redis.call('ZCOUNT', KEYS[at + 5], '-inf', now),
    now,
    lost_since and stored_number(lost_since, now) or '',
    stored_number(redis.call('GET', KEYS[at + 6]), 0),
  }
end
return nodes
