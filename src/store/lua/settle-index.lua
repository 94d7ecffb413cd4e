-- Puts one id into exactly the index its record's state asks for. Without a record it leaves all of them.
-- A warming record without a ticket gets one that is due at once, so that the reaper takes it up.
-- KEYS[1] instances  [2] ready:<template>  [3] assigned:<template>  [4] leaving:<template>  [5] warming:<template>   ARGV[1] id
-- Returns 1 when something had to be moved
local id = ARGV[1]
local record = load_record(KEYS[1], id)
if is_unreadable(KEYS[1], id) then return 0 end
local wanted, score
if record then
  if record.state == 'ready' then wanted, score = 2, record.endOfLifeMs
  elseif record.state == 'assigned' then wanted, score = 3, record.deadlineMs
  elseif record.state == 'releasing' or record.state == 'quarantined' then wanted, score = 4, now_ms() end
end
local moved = 0
if record and record.state == 'warming' and not redis.call('ZSCORE', KEYS[5], id) then
  redis.call('ZADD', KEYS[5], now_ms(), id)
  moved = 1
end
for index = 2, 4 do
  local present = redis.call('ZSCORE', KEYS[index], id)
  if present and index ~= wanted then
    redis.call('ZREM', KEYS[index], id)
    moved = 1
  elseif not present and index == wanted then
    redis.call('ZADD', KEYS[index], score, id)
    moved = 1
  end
end
return moved
