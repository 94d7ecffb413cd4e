-- What an image's name stands for on all nodes. A process that decides has it stand for what it does on its node, where
-- the name has moved there since one that decides last said so, or nobody has decided before. So it does where that was
-- refused while new images were tried first, and they are no more.
-- KEYS[1] image_pins  [2] image_seen:<node>  [3] image_update:<name>
-- ARGV[1] name  [2] what it stands for there: the engine's id  [3] 1 when the process decides  [4] its pin (JSON)
-- ARGV[5] 1 when new images are tried first
-- Returns the pin (JSON), or '' when nothing was decided
local pin = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[3] ~= '1' then return pin or '' end
local seen = redis.call('HGET', KEYS[2], ARGV[1])
if seen ~= ARGV[2] then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
local readable, refused = pcall(cjson.decode, ARGV[5] ~= '1' and redis.call('HGET', KEYS[3], 'refused') or '')
local digest = cjson.decode(ARGV[4]).digest
local was_refused = readable and refused.why == 'failed' and
  (refused.id == ARGV[2] or digest ~= nil and refused.digest == digest)
if pin and not was_refused and (not seen or seen == ARGV[2]) then return pin end
if was_refused then redis.call('HDEL', KEYS[3], 'refused') end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return ARGV[4]
