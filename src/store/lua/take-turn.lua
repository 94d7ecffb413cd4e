-- Gives a task to one process at a time, or lets go of it: a turn ends by itself, and who has it may take it again.
-- KEYS[1] turn:<task>  string, the process whose turn it is
-- KEYS[2] turn_terms   hash, task → how often it has changed hands
-- ARGV[1] process  [2] for how long (ms); 0: let go  [3] task  [4] '1': whoever has it now loses it
-- ARGV[5] the term that is to go on, if nobody has had another since; 0: one may begin
-- Returns the term, which rises each time that a turn begins, when it is this process's; else 0
local holder = redis.call('GET', KEYS[1])
local mine = holder == ARGV[1]
if holder and not mine and ARGV[4] ~= '1' then return 0 end
if ARGV[2] == '0' then
  if mine then redis.call('DEL', KEYS[1]) end
  return 0
end
local newest = stored_number(redis.call('HGET', KEYS[2], ARGV[3]), 0)
local kept = tonumber(ARGV[5])
if kept > 0 and kept ~= newest then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local term = (mine or kept > 0) and newest or 0
return term > 0 and term or count_up(KEYS[2], ARGV[3])
