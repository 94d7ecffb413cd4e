-- What a drain is to end: idle instances at once, what visitors hold when the deadline has passed.
-- KEYS[1] pool_control:<template>  [2] ready:<template>  [3] assigned:<template>  [4] instances
-- ARGV[1] limit  [2] how many to skip, of each
-- Returns the records' texts; none unless the template is drained
local control = redis.call('HMGET', KEYS[1], 'mode', 'deadline_ms')
if control[1] ~= 'draining' then return {} end
local found = {}
local function add(index)
  for _, id in ipairs(redis.call('ZRANGE', index, tonumber(ARGV[2]), tonumber(ARGV[2]) + tonumber(ARGV[1]) - 1)) do
    found[#found + 1] = redis.call('HGET', KEYS[4], id) or ''
  end
end
add(KEYS[2])
if stored_number(control[2], LARGEST) <= now_ms() then add(KEYS[3]) end
return found
