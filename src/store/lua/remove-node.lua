-- Forgets a node, unless it is alive.
-- KEYS[1] heartbeat:<node>  [2] nodes  [3] lost_nodes  [4] node_control:<node>  [5…] what else is kept of it
-- ARGV[1] node
-- Returns 1, or 0 when a heartbeat of it counts
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
for index = 4, #KEYS do redis.call('UNLINK', KEYS[index]) end
return 1
