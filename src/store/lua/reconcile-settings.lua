-- What operators decided about a template, and its breaker: entries that cannot be what we wrote are taken out.
-- KEYS[1] pool_control:<template>  [2] refill_pause:<template>
-- ARGV[1] '1': only say what is wrong
-- Returns {key, field, what is stored there, …} in threes
local now = now_ms()
local found = {}
local function check(key, field, is_right)
  local text = redis.call('HGET', key, field)
  if not text or is_right(text) then return end
  for _, word in ipairs({key, field, text}) do found[#found + 1] = word end
  if ARGV[1] ~= '1' then redis.call('HDEL', key, field) end
end
local function is_number(text) return stored_number(text, nil) ~= nil end
check(KEYS[1], 'mode', function(text) return text == 'paused' or text == 'draining' end)
check(KEYS[1], 'since_ms', is_number)
check(KEYS[1], 'deadline_ms', is_number)
check(KEYS[1], 'target', is_number)
check(KEYS[1], 'target_until_ms', is_number)
check(KEYS[1], 'auto_target', is_number)
check(KEYS[2], 'failures', is_number)
check(KEYS[2], 'until_ms', function(text) return is_number(text) and stored_number(text, 0) <= now + LONGEST_PAUSE_MS end)
return found
