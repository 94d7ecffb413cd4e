-- What is known of nodes: what each said last, what an operator decided, and how full it is.
-- KEYS[1] lost_nodes  [2…] of each node these seven: heartbeat:<node>, node_control:<node>, held_ports, placed:<node>,
-- available_ports, cooling_ports, losses:<node>
-- ARGV[1…] the nodes
-- Returns for each node the heartbeat's text or '', for how long it still counts (ms), mode, since and deadline (or ''),
-- instances that hold a port, tickets without one, free ports, the time, since when it is taken for lost (or ''), how
-- often it was of late
local now = now_ms()
local lost = redis.call('HMGET', KEYS[1], unpack(ARGV))
local texts = {}
for index = 1, #ARGV do
  texts[2 * index - 1] = KEYS[7 * index - 5]
  texts[2 * index] = KEYS[7 * index + 1]
end
texts = redis.call('MGET', unpack(texts))
local nodes = {}
local rested = rested_ranges(now)
for index = 1, #ARGV do
  local at = 7 * index - 5
  local control = redis.call('HMGET', KEYS[at + 1], 'mode', 'since_ms', 'deadline_ms')
  nodes[index] = {
    texts[2 * index - 1] or '',
    redis.call('PTTL', KEYS[at]),
    control[1] or '',
    control[2] or '',
    control[3] or '',
    redis.call('HLEN', KEYS[at + 2]),
    redis.call('ZCOUNT', KEYS[at + 3], '(' .. now, '+inf'),
    redis.call('SCARD', KEYS[at + 4]) + redis.call('ZCOUNT', KEYS[at + 5], rested[1][1], rested[1][2])
      + redis.call('ZCOUNT', KEYS[at + 5], rested[2][1], rested[2][2]),
    now,
    lost[index] and stored_number(lost[index], now) or '',
    stored_number(texts[2 * index], 0),
  }
end
return nodes
