-- Notes how an image's update goes, if nobody else has had its turn since this process began it. Those who want to hear
-- what came of its trial are told in the same step.
-- KEYS[1] image_update:<name>  [2] turn_terms  [3] image_seen:<node>  [4] event_outbox  [5] event_settings
-- ARGV[1] task  [2] term  [3] for how long it is kept (ms)  [4] name
-- ARGV[5] what the name stands for on the node: an id  [6] 'always': note that, 'first': only if nothing is noted there
-- ARGV[7] the event (JSON), '' none  [8…] field, value, …; an empty value removes the field
-- Returns 1; 0 when another process has had the turn since
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call(ARGV[6] == 'always' and 'HSET' or 'HSETNX', KEYS[3], ARGV[4], ARGV[5])
for index = 8, #ARGV, 2 do
  if ARGV[index + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[index])
  else redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
write_image_event(KEYS[4], KEYS[5], ARGV[7])
return 1
