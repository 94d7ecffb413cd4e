-- The records of several instances, and when each was last used, as of one moment.
-- KEYS[1] instances  [2] last_used
-- ARGV[1…] ids, at most a few hundred
-- Returns {now, record text or '', last use (ms) or '', …} in the order of the ids
local found = {now_ms()}
for index = 1, #ARGV do
  found[2 * index] = redis.call('HGET', KEYS[1], ARGV[index]) or ''
  found[2 * index + 1] = redis.call('ZSCORE', KEYS[2], ARGV[index]) or ''
end
return found
