-- Has an image's name stand for another one on all nodes, with the checkpoints that were made of it: all at once, so
-- that no checkpoint is ever current that does not fit. By the process that tried the image, if nobody else has had its
-- turn since and no operator holds the image, and those who want to hear of it are told in the same step; or by an
-- operator.
-- KEYS[1] image_pins  [2] image_update:<name>  [3] turn_terms  [4] image_seen:<node>
-- KEYS[5] event_outbox  [6] event_settings  [7…] checkpoints:<template>, restores:<template>, …
-- ARGV[1] name  [2] the pin as it was read  [3] the pin that takes its place  [4] task, '' for an operator  [5] term
-- ARGV[6] the former one (JSON)  [7] the refused one (JSON), '' none  [8] for how long that is kept (ms)
-- ARGV[9] longest history of checkpoints  [10] the id that the name stands for on the node, '' not told
-- ARGV[11] the event (JSON), '' none
-- ARGV[12…] for each pair of keys in order: 'promote' or 'drop', template, id; what was current and is dropped is
-- noted with the former one
-- Returns 1; 0 when the pin has moved, another process has had the turn, or the image is held
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[4] ~= '' then
  if redis.call('HGET', KEYS[3], ARGV[4]) ~= ARGV[5] then return 0 end
  if redis.call('HEXISTS', KEYS[2], 'held') == 1 then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[2], 'tried', 'refused', 'asked')
if ARGV[7] ~= '' then redis.call('HSET', KEYS[2], 'refused', ARGV[7]) end
redis.call('PEXPIRE', KEYS[2], ARGV[8])
if ARGV[10] ~= '' then redis.call('HSET', KEYS[4], ARGV[1], ARGV[10]) end
local former = cjson.decode(ARGV[6])
for index = 0, (#KEYS - 6) / 2 - 1 do
  local checkpoints, restores = KEYS[7 + 2 * index], KEYS[8 + 2 * index]
  local what, template, id = ARGV[12 + 3 * index], ARGV[13 + 3 * index], ARGV[14 + 3 * index]
  if what == 'promote' then put_first(checkpoints, restores, id, tonumber(ARGV[9]))
  elseif redis.call('LINDEX', checkpoints, 0) == id then
    redis.call('LPOP', checkpoints)
    redis.call('HDEL', restores, 'failures', 'proven:' .. id)
    former.dropped = former.dropped or {}
    former.dropped[template] = id
  end
end
redis.call('HSET', KEYS[2], 'former', cjson.encode(former))
write_image_event(KEYS[5], KEYS[6], ARGV[11])
return 1
