-- Of which templates anything is due, so that a round with nothing to do costs a single look.
-- KEYS[1…] of each template these four: assigned:<template>, ready:<template>, leaving:<template>,
-- pool_control:<template>
-- ARGV[1…] of each template the life that a ready instance must have left (ms), or '' for one that is not offered
-- Returns of each template the sum of what there is: 1 visits that are over, 2 ready ones that are too old, 4 cleanups
-- that are overdue, 8 a drain
local now = now_ms()
local function has_until(index, time) return redis.call('ZCOUNT', index, '-inf', time) > 0 end

local found = {}
for index = 1, #ARGV do
  local at = 4 * index - 3
  local life = tonumber(ARGV[index])
  local due = has_until(KEYS[at], now) and 1 or 0
  if life and has_until(KEYS[at + 1], now + life) then due = due + 2 end
  if has_until(KEYS[at + 2], now) then due = due + 4 end
  if redis.call('HGET', KEYS[at + 3], 'mode') == 'draining' then due = due + 8 end
  found[index] = due
end
return found
