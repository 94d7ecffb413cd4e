-- Notes that a process runs and what it says of itself, or that it ends; whoever is silent for long is forgotten.
-- KEYS[1] processes       hash, id → entry (JSON); back_ms: when one said so after all had been silent, by an outage
-- KEYS[2] processes_seen  zset, id by when it last said so (ms)
-- KEYS[3] template_reloads  how often all were asked to read their templates again
-- ARGV[1] id  [2] entry, or '' when it ends  [3] silence after which a process counts as gone (ms)
-- ARGV[4] silence of all at once that only an outage brings about (ms)
-- Returns that number
local now = now_ms()
-- Who ended took their entry along.
local newest = redis.call('ZRANGE', KEYS[2], 0, 0, 'REV', 'WITHSCORES')[2]
if newest and tonumber(newest) <= now - tonumber(ARGV[4]) then redis.call('HSET', KEYS[1], 'back_ms', now) end
for _, gone in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', now - tonumber(ARGV[3]), 'BYSCORE')) do
  redis.call('HDEL', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], now, ARGV[1])
end
return tonumber(redis.call('GET', KEYS[3]) or 0)
