-- releasing → gone: the last step of a cleanup.
-- KEYS[1] instances  [2] leaving:<template>
-- ARGV[1] id  [2] attempt
-- Returns 1 deleted, 0 already gone (the id may have another life by now), -1 refused: not releasing, or it still
--         holds a container, a port or a database
local record = load_record(KEYS[1], ARGV[1])
if not record or (record.attempt or '') ~= ARGV[2] then return 0 end
local empty = record.step == 'container_gone' or record.step == 'database_dropped' or record.step == 'port_cooling'
if record.state ~= 'releasing' or not empty or record.port ~= cjson.null or record.database ~= cjson.null then
  return -1
end
redis.call('HDEL', KEYS[1], record.id)
redis.call('ZREM', KEYS[2], record.id)
return 1
