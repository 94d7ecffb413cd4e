-- Counts who took how much in one minute. What there is no room for is left out: then those who take much are in it.
-- KEYS[1] shares:<minute>  hash, "<kind> <who> <figure>" → count
-- ARGV[1] the most fields  [2] how long they are kept (ms)  [3…] field and count by turns
-- Returns how many were left out
local room = tonumber(ARGV[1]) - redis.call('HLEN', KEYS[1])
local left_out = 0
for at = 3, #ARGV, 2 do
  local field = ARGV[at]
  local is_new = redis.call('HEXISTS', KEYS[1], field) == 0
  if is_new and room <= 0 then
    left_out = left_out + 1
  else
    if is_new then room = room - 1 end
    count_up(KEYS[1], field, tonumber(ARGV[at + 1]))
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return left_out
