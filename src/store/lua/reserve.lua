-- Plans a refill and reserves its tickets in one step, so that any number of planners cannot overshoot.
-- KEYS[1] ready:<template>  [2] warming:<template>  [3] assigned:<template>  [4] leaving:<template>
-- KEYS[5] refill_pause:<template>  [6] templates  [7] pool_control:<template>
-- KEYS[8] waiting_leases:<template>
-- ARGV[1] target, unless an operator has set another, or the pool sizes itself  [2] max  [3] threshold (share of the target that may be missing)
-- ARGV[4] ticket life (ms)  [5] template
-- ARGV[6] failures that open the breaker  [7] ids, joined by commas, of some hundred ready ones at most that are about to go: those that
-- still are ready are replaced beforehand
-- ARGV[8] of those that leave, so many are on lost hosts and take no room on others
-- ARGV[9…] candidate ids, one for each ticket that may be reserved
-- Returns the ids reserved
redis.call('SADD', KEYS[6], ARGV[5])
local now = now_ms()
local breaker = redis.call('HMGET', KEYS[5], 'until_ms', 'failures')
if pause_until(breaker[1], now) > now then return {} end

local control = redis.call('HMGET', KEYS[7], 'mode', 'target', 'auto_target')
if control[1] == 'draining' then return {} end
local wished = stored_number(control[2], stored_number(control[3], tonumber(ARGV[1])))
-- One for each who waits, also where none are kept ready; an operator who set 0 wants none at all.
local waiting = control[2] == '0' and 0 or redis.call('ZCOUNT', KEYS[8], now, '+inf')
local target = math.min(math.max(wished, waiting), tonumber(ARGV[2]))
local ready = redis.call('ZCARD', KEYS[1])
local warming = redis.call('ZCARD', KEYS[2])
-- Who planned this saw them a moment ago; some may have gone since.
local going, named = 0, {}
for id in string.gmatch(ARGV[7], '[^,]+') do named[#named + 1] = id end
for _, end_of_life in ipairs(#named > 0 and redis.call('ZMSCORE', KEYS[1], unpack(named)) or {}) do
  if end_of_life then going = going + 1 end
end
local missing = target - (ready - going) - warming
-- Once a refill has begun (tickets are out) it is carried to the target, and an empty pool waits for no threshold.
if missing <= 0 or (warming == 0 and ready > 0 and going == 0 and waiting == 0 and missing <= tonumber(ARGV[3]) * target) then return {} end
-- After a pause one instance at a time is tried, until one comes up.
if stored_number(breaker[2], 0) >= tonumber(ARGV[6]) then missing = math.min(missing, 1 - warming) end

local leaving = redis.call('ZCARD', KEYS[4])
leaving = leaving - math.min(tonumber(ARGV[8]), leaving)
local room = tonumber(ARGV[2]) - ready - warming - redis.call('ZCARD', KEYS[3]) - leaving
local reserved = {}
for index = 1, math.min(missing, room, #ARGV - 8) do
  local id = ARGV[8 + index]
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), id)
  reserved[index] = id
end
return reserved
