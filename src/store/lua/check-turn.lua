-- Whether it is still the turn of a process that began with this term: nobody has had it since.
-- KEYS[1] turn:<task>  [2] turn_terms
-- ARGV[1] process  [2] task  [3] term
-- Returns 1 or 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[3] and 1 or 0
