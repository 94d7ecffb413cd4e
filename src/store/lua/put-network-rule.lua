-- Stores a rule for a network of clients, in place of an earlier one.
-- KEYS[1] bans | allowances  hash, network → rule (JSON)
-- ARGV[1] network  [2] for how long (ms)  [3] reason or ''  [4] how many may be held, or ''
-- Returns the rule's text
local now = now_ms()
local rule = {v = 1, network = ARGV[1], sinceMs = now, untilMs = now + tonumber(ARGV[2])}
if ARGV[3] ~= '' then rule.reason = ARGV[3] end
if ARGV[4] ~= '' then rule.held = tonumber(ARGV[4]) end
local text = cjson.encode(rule)
redis.call('HSET', KEYS[1], ARGV[1], text)
return text
