-- How long a node still waits before it restores a template again.
-- KEYS[1] checkpoints:<template>  [2] restore_pause:<template> of the node
-- Returns how long the node is not to restore yet (ms); a pause after another checkpoint's failures does not count
local paused = redis.call('HMGET', KEYS[2], 'checkpoint', 'until_ms')
if not paused[2] or paused[1] ~= redis.call('LINDEX', KEYS[1], 0) then return 0 end
local now = now_ms()
return math.max(0, pause_until(paused[2], now) - now)
