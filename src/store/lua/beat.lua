-- A node is alive, and like this. Whoever took it for lost is proved wrong.
-- KEYS[1] heartbeat:<node>  [2] nodes  [3] lost_nodes
-- ARGV[1] node  [2] what it says of itself  [3] for how long that counts (ms)  [4] its entry in nodes, where it has none
-- Returns 1 when it was taken for lost, or 0
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- A store that lost its data, or a node that was removed and is back.
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[4])
return redis.call('HDEL', KEYS[3], ARGV[1])
