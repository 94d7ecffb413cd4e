-- The current checkpoint of each of several templates.
-- KEYS[1…] checkpoints:<template>
-- Returns the current id or '' of each, in the order of the keys
local found = {}
for index, key in ipairs(KEYS) do found[index] = redis.call('LINDEX', key, 0) or '' end
return found
