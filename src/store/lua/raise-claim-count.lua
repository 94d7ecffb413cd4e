-- Brings the counter back to what was seen, once all idle instances from before are retired.
-- KEYS[1] takes
-- ARGV[1] the highest count seen
-- Returns how many claims the store had lost, 0 when another process has done this already
local lost = tonumber(ARGV[1]) - stored_number(redis.call('GET', KEYS[1]), 0)
if lost <= 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return lost
