-- The record of the instance that a host name leads to.
-- KEYS[1] hostnames  [2] instances
-- ARGV[1] label
-- Returns {now, record text or ''}
local entry = redis.call('HGET', KEYS[1], ARGV[1])
local readable, named = pcall(cjson.decode, entry or '')
local id = readable and type(named) == 'table' and named.id
return {now_ms(), type(id) == 'string' and redis.call('HGET', KEYS[2], id) or ''}
