-- How those stand who wait, and what is known of when their instances come. Being looked for keeps a place; but while
-- there is an instance for it, only until the visitor should have taken that.
-- KEYS[1] waiting:<template>  [2] waiting_leases:<template>  [3] waiting_clients:<template>  [4] ready:<template>
-- KEYS[5] warming:<template>  [6] assigned:<template>  [7] leaving:<template>  [8] instances
-- KEYS[9] refill_pause:<template>  [10] pool_control:<template>  [11] refills:<template>  [12] funnel:<day>
-- ARGV[1] how long a place is kept (ms)  [2] life an instance must have left (ms)
-- ARGV[3] how long one is kept for the first (ms)  [4] template  [5…] places
-- Returns {now, {sites of places that lapsed}, ready, warming, leaving, assigned, mode or '', operators' reason or '',
--         their target or '', failures in a row, ms until a refill may be tried, {ages of the starts under way}, {ms left of those assigned,
--         the next to end first}, {what recently came up, the newest first}, {{ahead or -1, ms waited}, …}}
local now = now_ms()
local lapsed = drop_lapsed_places(KEYS[1], KEYS[2], KEYS[3], now, KEYS[12], ARGV[4])
local ready = redis.call('ZCOUNT', KEYS[4], now + tonumber(ARGV[2]), '+inf')
local control = redis.call('HMGET', KEYS[10], 'mode', 'reason', 'target')
local open = control[1] ~= 'paused' and control[1] ~= 'draining'

local places = {}
for index = 5, #ARGV do
  local place = ARGV[index]
  local ahead = redis.call('ZRANK', KEYS[1], place)
  if ahead then
    local kept = now + tonumber(ARGV[1])
    if open and ready > ahead then
      kept = math.min(tonumber(redis.call('ZSCORE', KEYS[2], place)), now + tonumber(ARGV[3]))
    end
    keep_place(KEYS[1], KEYS[2], KEYS[3], place, kept, now)
    places[#places + 1] = {ahead, math.max(now - tonumber(redis.call('ZSCORE', KEYS[1], place)), 0)}
  else
    places[#places + 1] = {-1, 0}
  end
end

local ages = {}
local tickets = redis.call('ZRANGE', KEYS[5], 0, 31)
if #tickets > 0 then
  for _, text in ipairs(redis.call('HMGET', KEYS[8], unpack(tickets))) do
    local record = text and parse_record(text)
    if record and record.state == 'warming' and is_whole(record.createdAtMs) then
      ages[#ages + 1] = math.max(now - record.createdAtMs, 0)
    end
  end
end
local ends = {}
local assigned = redis.call('ZRANGE', KEYS[6], 0, 99, 'WITHSCORES')
for index = 2, #assigned, 2 do ends[#ends + 1] = math.max(tonumber(assigned[index]) - now, 0) end

local breaker = redis.call('HMGET', KEYS[9], 'failures', 'until_ms')
return {
  now, lapsed, ready, redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[7]), redis.call('ZCARD', KEYS[6]),
  control[1] or '', control[2] or '', control[3] or '',
  stored_number(breaker[1], 0), math.max(pause_until(breaker[2], now) - now, 0),
  ages, ends, redis.call('LRANGE', KEYS[11], 0, 15), places
}
