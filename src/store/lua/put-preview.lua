-- Stores a preview, in place of one of the same name and template.
-- KEYS[1] previews  hash, name → preview (JSON)
-- ARGV[1] name  [2] template that it is a copy of  [3] image  [4] title or ''  [5] the time (ms)
-- ARGV[6] when it ends (ms)  [7] who puts it  [8] how many former images are remembered
-- ARGV[9] how many of the template may be offered at once  [10] how many may be recorded, with those that have ended
-- Returns {0, its text}, or, and nothing is stored: {-1, template} when a preview of that template has the name,
-- {-2, how many others are offered} or {-3, how many others are recorded} when that is as many as may be
local now = tonumber(ARGV[5])
local function stored(name)
  local readable, preview = pcall(cjson.decode, redis.call('HGET', KEYS[1], name) or '')
  if readable and type(preview) == 'table' and preview.v == 1 and is_whole(preview.endsAtMs) then return preview end
end
local before = stored(ARGV[1])
if before and before.from ~= ARGV[2] then return {-1, tostring(before.from)} end
local offered, recorded = 0, 0
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local other = name ~= ARGV[1] and stored(name)
  if other and other.from == ARGV[2] then
    recorded = recorded + 1
    if other.endsAtMs > now then offered = offered + 1 end
  end
end
if offered >= tonumber(ARGV[9]) then return {-2, offered} end
if not before and recorded >= tonumber(ARGV[10]) then return {-3, recorded} end
local preview = {v = 1, name = ARGV[1], from = ARGV[2], image = ARGV[3], by = ARGV[7], createdAtMs = now, putAtMs = now, endsAtMs = tonumber(ARGV[6])}
if ARGV[4] ~= '' then preview.title = ARGV[4] end
if before then
  if before.endsAtMs > now then preview.createdAtMs = before.createdAtMs end
  if before.image == ARGV[3] then preview.putAtMs = before.putAtMs end
  local former = {}
  for _, image in ipairs(type(before.former) == 'table' and before.former or {}) do
    if image ~= ARGV[3] then former[#former + 1] = image end
  end
  if before.image ~= ARGV[3] then former[#former + 1] = before.image end
  while #former > tonumber(ARGV[8]) do table.remove(former, 1) end
  if #former > 0 then preview.former = former end
end
local text = cjson.encode(preview)
redis.call('HSET', KEYS[1], ARGV[1], text)
return {0, text}
