-- Stores a rule for a network of clients, in place of an earlier one.
-- KEYS[1] bans | allowances  hash, network → rule (JSON)  [2] how often a rule was stored
-- ARGV[1] network  [2] for how long (ms)  [3] reason or ''  [4] how many may be held, or ''  [5] how many rules may be
-- Returns the rule's text, or 0, and nothing is stored, when there are as many others as may be
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 0 end
local now = now_ms()
local rule = {v = 1, network = ARGV[1], sinceMs = now, untilMs = now + tonumber(ARGV[2])}
if ARGV[3] ~= '' then rule.reason = ARGV[3] end
if ARGV[4] ~= '' then rule.held = tonumber(ARGV[4]) end
local text = cjson.encode(rule)
redis.call('HSET', KEYS[1], ARGV[1], text)
count_up(KEYS[2])
return text
