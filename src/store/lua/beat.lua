-- A node is alive, and like this, unless another host says so under its name. Whoever took it for lost is proved wrong.
-- KEYS[1] heartbeat:<node>  [2] nodes  [3] lost_nodes
-- ARGV[1] node  [2] what it says of itself  [3] for how long that counts (ms)  [4] its entry in nodes, where it has none
-- ARGV[5] the boot of its host, or ''  [6] the last heartbeat of another host that says nothing any more, or ''
-- Returns 1 when it was taken for lost, or 0; or another host's heartbeat, and then nothing is changed
local said = redis.call('GET', KEYS[1])
if said and ARGV[5] ~= '' and said ~= ARGV[6] then
  local readable, heartbeat = pcall(cjson.decode, said)
  local boot = readable and type(heartbeat) == 'table' and heartbeat.boot
  -- Older versions do not say where they run.
  if type(boot) == 'string' and boot ~= ARGV[5] then return said end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- A store that lost its data, or a node that was removed and is back.
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[4])
return redis.call('HDEL', KEYS[3], ARGV[1])
