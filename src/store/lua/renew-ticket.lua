-- Puts off the end of tickets that are still there.
-- KEYS[1] warming:<template>
-- ARGV[1] ticket life from now (ms)  [2…] ids
-- Returns how many of the tickets are still there
local deadline = now_ms() + tonumber(ARGV[1])
local renewed = 0
for index = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) then
    redis.call('ZADD', KEYS[1], deadline, ARGV[index])
    renewed = renewed + 1
  end
end
return renewed
