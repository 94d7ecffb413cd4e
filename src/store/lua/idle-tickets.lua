-- Tickets that only a task in the queue could still bring up: nobody works on them, and nobody has just reserved them.
-- KEYS[1] warming:<template>  [2] instances
-- ARGV[1] life of a ticket that was just reserved (ms)  [2] for how long of it it is new (ms)  [3] limit
-- Returns their ids
local now = now_ms()
local full = now + tonumber(ARGV[1])
local still_new = full - tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
-- Read some at a time: thousands may wait while a large pool is filled, and the first ones do.
local PAGE = 200
local idle = {}
local from = 0
while #idle < limit do
  local tickets = redis.call('ZRANGE', KEYS[1], from, from + PAGE - 1, 'WITHSCORES')
  if #tickets == 0 then break end
  for at = 1, #tickets, 2 do
    if #idle >= limit then break end
    local id, until_ms = tickets[at], tonumber(tickets[at + 1])
    local record = load_record(KEYS[2], id)
    if record then
      if not is_at_work(record, now) then idle[#idle + 1] = id end
    elseif not is_unreadable(KEYS[2], id) and (until_ms <= still_new or until_ms > full) then
      -- One with more than its first life was worked on already and waits for another try.
      idle[#idle + 1] = id
    end
  end
  from = from + PAGE
end
return idle
