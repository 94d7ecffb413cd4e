-- Gives a place up; those behind move up.
-- KEYS[1] waiting:<template>  [2] waiting_leases:<template>  [3] waiting_clients:<template>  [4] funnel:<day>
-- ARGV[1] place  [2] template
-- Returns the embedding site of who had it, or '' when the place was gone already
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return '' end
local site = count_gave_up(KEYS[4], ARGV[2], redis.call('HGET', KEYS[3], ARGV[1]))
drop_place(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
return site
