-- Puts suspicious ports where the records say they belong: available, cooling or held, exactly one of them.
-- KEYS[1] available_ports  [2] cooling_ports  [3] held_ports  [4] instances
-- ARGV[1] range start  [2] range end  [3] cool-down (ms)  [4] '1': only say what is wrong
-- ARGV[5…] {port to look at, id of the record that names it or ''} in pairs
-- Returns {port, what is wrong, …} in pairs: missing | outside | doubled | unheld | unclaimed
local now = now_ms()
local only_look = ARGV[4] == '1'
local found = {}
local function settle(port, wrong, right)
  found[#found + 1] = port
  found[#found + 1] = wrong
  if not only_look then right() end
end

for index = 5, #ARGV, 2 do
  local port = ARGV[index]
  local number = stored_number(port, -1)
  local in_range = number >= tonumber(ARGV[1]) and number <= tonumber(ARGV[2])
  local available = redis.call('SISMEMBER', KEYS[1], port) == 1
  local cooling = redis.call('ZSCORE', KEYS[2], port)
  local holder = redis.call('HGET', KEYS[3], port)
  local record = holder and load_record(KEYS[4], holder)
  local claimant = not holder and ARGV[index + 1] ~= '' and load_record(KEYS[4], ARGV[index + 1])
  if holder and not (record and record.port == number) and not is_unreadable(KEYS[4], holder) then
    settle(port, 'unheld', function()
      redis.call('HDEL', KEYS[3], port)
      redis.call('SREM', KEYS[1], port)
      redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), port)
    end)
  elseif claimant and claimant.port == number then
    settle(port, 'unclaimed', function()
      redis.call('HSET', KEYS[3], port, claimant.id)
      redis.call('SREM', KEYS[1], port)
      redis.call('ZREM', KEYS[2], port)
    end)
  elseif holder and (available or cooling) then
    settle(port, 'doubled', function()
      redis.call('SREM', KEYS[1], port)
      redis.call('ZREM', KEYS[2], port)
    end)
  elseif not holder and cooling and available then
    settle(port, 'doubled', function() redis.call('SREM', KEYS[1], port) end)
  elseif not holder and cooling and not in_range and tonumber(cooling) <= now then
    settle(port, 'outside', function() redis.call('ZREM', KEYS[2], port) end)
  elseif not holder and not cooling and in_range and not available then
    settle(port, 'missing', function() redis.call('SADD', KEYS[1], port) end)
  elseif available and not in_range then
    settle(port, 'outside', function() redis.call('SREM', KEYS[1], port) end)
  end
end
return found
