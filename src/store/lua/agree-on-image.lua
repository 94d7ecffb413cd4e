-- What an image's name stands for on all nodes. A process that decides has it stand for what it does on its node, where
-- the name has moved there since one that decides last said so, or nobody has decided before.
-- KEYS[1] image_pins  [2] image_seen:<node>
-- ARGV[1] name  [2] what it stands for there: the engine's id  [3] 1 when the process decides  [4] its pin (JSON)
-- Returns the pin (JSON), or '' when nothing was decided
local pin = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[3] ~= '1' then return pin or '' end
local seen = redis.call('HGET', KEYS[2], ARGV[1])
if seen ~= ARGV[2] then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
if pin and (not seen or seen == ARGV[2]) then return pin end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return ARGV[4]
