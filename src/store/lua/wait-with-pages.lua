-- How long other pages of a proxy wait by now, whichever process saw them first; begins now if none do.
-- KEYS[1] pages_wait:<task>
-- ARGV[1] after how long it is forgotten (ms)
-- Returns ms
local now = now_ms()
redis.call('SET', KEYS[1], string.format('%d', now), 'NX', 'PX', ARGV[1])
local since_ms = tonumber(redis.call('GET', KEYS[1]) or '') or now
return math.floor(math.max(now - since_ms, 0))
