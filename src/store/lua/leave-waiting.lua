-- Gives a place up; those behind move up.
-- KEYS[1] waiting:<template>  [2] waiting_leases:<template>  [3] waiting_clients:<template>
-- ARGV[1] place
-- Returns 1, or 0 when the place was gone already
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
drop_place(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
return 1
