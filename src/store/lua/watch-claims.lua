-- Says that this process hands out instances and has looked at this server, tells it what the others did, and which of
-- them may have claimed on another server what this one has never heard of.
-- KEYS[1] takes  counter
-- KEYS[2] takers  zset, process by when it last said so (ms)
-- KEYS[3] takers_looked  hash, process to the run id of the server it looked at last
-- ARGV[1] the process  [2] silence after which a process counts as gone (ms)  [3] the highest claim count it has seen
-- ARGV[4] 1: those that have not looked are waited for no longer  [5] run id of the server that named it the others
-- ARGV[6…] these others
-- Returns {claim count, run id of this server, {processes that looked as well}, {those that have not looked}}; when the
--         count is lower than what was seen, nothing is changed, and nobody is named
local now = now_ms()
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local count = stored_number(redis.call('GET', KEYS[1]), 0)
if count < tonumber(ARGV[3]) then return {count, run, {}, {}} end

local function has_looked(process)
  redis.call('ZADD', KEYS[2], now, process)
  redis.call('HSET', KEYS[3], process, run)
end

local looked, missing = {}, {}
local function settle(process)
  if redis.call('HGET', KEYS[3], process) == run then
    looked[#looked + 1] = process
  elseif ARGV[4] == '1' then
    -- It stays for a while, so that the others learn of this.
    has_looked(process)
  else
    missing[#missing + 1] = process
  end
end

local waits_for = {}
-- One of an older version is in takers alone, and never says what it looked at.
for _, process in ipairs(redis.call('HKEYS', KEYS[3])) do waits_for[process] = true end
if ARGV[5] ~= run then
  for at = 6, #ARGV do waits_for[ARGV[at]] = true end
end
waits_for[ARGV[1]] = nil
for process in pairs(waits_for) do
  local said = tonumber(redis.call('ZSCORE', KEYS[2], process) or 0)
  local silent = said < now - tonumber(ARGV[2])
  -- Whoever looked here and is silent took nothing with it that this server does not know.
  if silent and redis.call('HGET', KEYS[3], process) == run then redis.call('HDEL', KEYS[3], process)
  else settle(process) end
end
has_looked(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[2]))
return {count, run, looked, missing}
