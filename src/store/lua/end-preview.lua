-- Has a preview end now, unless it has ended. One that nobody can read is dropped.
-- KEYS[1] previews  hash, name → preview (JSON)
-- ARGV[1] name  [2] the time (ms)  [3] the template that it has to be a copy of, or '' for any
-- Returns its text, or '' when there is none
local text = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local readable, preview = pcall(cjson.decode, text)
if not readable or type(preview) ~= 'table' then
  if ARGV[3] ~= '' then return '' end
  redis.call('HDEL', KEYS[1], ARGV[1])
  return text
end
if ARGV[3] ~= '' and preview.from ~= ARGV[3] then return '' end
if is_whole(preview.endsAtMs) and preview.endsAtMs <= tonumber(ARGV[2]) then return text end
preview.endsAtMs = tonumber(ARGV[2])
text = cjson.encode(preview)
redis.call('HSET', KEYS[1], ARGV[1], text)
return text
