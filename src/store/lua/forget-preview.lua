-- Forgets a preview that has ended, with everything that was kept for its name, once no instance of it is left.
-- KEYS[1] previews  [2] templates  [3] ready:<name>  [4] warming:<name>  [5] assigned:<name>  [6] leaving:<name>
-- KEYS[7…] what else is kept for the name
-- ARGV[1] name  [2] its text as it was read  [3] 0: a template has the name by now, and only the preview itself goes
-- Returns 1, or 0 when it is another one by now, or instances are left
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] ~= '0' then
  for index = 3, 6 do
    if redis.call('ZCARD', KEYS[index]) > 0 then return 0 end
  end
  redis.call('SREM', KEYS[2], ARGV[1])
  for index = 7, #KEYS do redis.call('DEL', KEYS[index]) end
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
