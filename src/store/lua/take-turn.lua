-- Gives a task to one process at a time, or lets go of it: a turn ends by itself, and who has it may take it again.
-- KEYS[1] turn:<task>  string, the process whose turn it is
-- ARGV[1] process  [2] for how long (ms); 0: let go
-- Returns 1 when it is this process's turn, else 0
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
