-- Takes a node for lost, unless it is alive.
-- KEYS[1] heartbeat:<node>  [2] nodes  [3] lost_nodes  [4] losses:<node>
-- ARGV[1] node  [2] how long the loss is remembered (ms)
-- Returns 1, or 0 when a heartbeat of it counts, when it is taken for lost already, or is forgotten
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('HSETNX', KEYS[3], ARGV[1], now_ms()) == 0 then return 0 end
count_up(KEYS[4])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
return 1
