-- Puts one id into exactly the index its record's state asks for. Without a record it leaves all of them.
-- A warming record without a ticket gets one that is due at once, so that the reaper takes it up.
-- KEYS[1] instances  [2] ready:<template>  [3] assigned:<template>  [4] leaving:<template>  [5] warming:<template>
-- ARGV[1] id  [2] '1': only say what is wrong
-- Returns {'+ready', '-assigned', …}: where it has to be put in and taken out; empty when all is well
local id = ARGV[1]
local names = {[2] = 'ready', [3] = 'assigned', [4] = 'leaving', [5] = 'warming'}
local only_look = ARGV[2] == '1'
if is_unreadable(KEYS[1], id) then return {} end
local record = load_record(KEYS[1], id)
local wanted, score
if record then
  if record.state == 'ready' then wanted, score = 2, record.endOfLifeMs
  elseif record.state == 'assigned' then wanted, score = 3, record.deadlineMs
  elseif record.state == 'releasing' or record.state == 'quarantined' then wanted, score = 4, now_ms()
  else wanted, score = 5, now_ms() end
end
local moves = {}
for index = 2, 5 do
  local present = redis.call('ZSCORE', KEYS[index], id)
  -- A ticket outlives its record while the queue waits to try again.
  if present and index ~= wanted and index ~= 5 then
    moves[#moves + 1] = '-' .. names[index]
    if not only_look then redis.call('ZREM', KEYS[index], id) end
  elseif not present and index == wanted then
    moves[#moves + 1] = '+' .. names[index]
    if not only_look then redis.call('ZADD', KEYS[index], score, id) end
  end
end
return moves
