-- The records of several instances, as of one moment.
-- KEYS[1] instances
-- ARGV[1…] ids, at most a few hundred
-- Returns {now, record text or '', …} in the order of the ids
local found = {now_ms()}
for index = 1, #ARGV do
  found[index + 1] = redis.call('HGET', KEYS[1], ARGV[index]) or ''
end
return found
