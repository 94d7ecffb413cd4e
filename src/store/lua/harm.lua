-- What is remembered of harm that these did.
-- KEYS[1…] harm:<who>   string
-- Returns for each {visits that ended for it, until when nothing is handed out (ms) or 0, when it is forgotten (ms)}, and
--         {0, 0, 0} where nothing is remembered
local now = now_ms()
local found = {}
for at, key in ipairs(KEYS) do
  local ends, until_ms = parse_harm(redis.call('GET', key), now)
  local left = redis.call('PTTL', key)
  found[at] = (ends > 0 and left > 0) and {ends, until_ms > now and until_ms or 0, now + left} or {0, 0, 0}
end
return found
