-- Takes one instance off a client's limits: it was counted, but could not be used.
-- KEYS[1] rate:hourly:<client>  [2] rate:daily:<client>
-- Returns 0
for _, window in ipairs(KEYS) do
  if stored_number(redis.call('GET', window), 0) > 0 then redis.pcall('DECR', window) end
end
return 0
