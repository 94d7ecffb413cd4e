-- Stores a preview, in place of one of the same name.
-- KEYS[1] previews  hash, name → preview (JSON)
-- ARGV[1] name  [2] template that it is a copy of  [3] how many of that may be offered at once
-- ARGV[4] image  [5] title or ''  [6] the time (ms)  [7] when it ends (ms)  [8] how many former images are remembered
-- Returns its text, or how many others there are when that is as many as may be
local now = tonumber(ARGV[6])
local function stored(name)
  local readable, preview = pcall(cjson.decode, redis.call('HGET', KEYS[1], name) or '')
  if readable and type(preview) == 'table' and preview.v == 1 and is_whole(preview.endsAtMs) then return preview end
end
local others = 0
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local other = name ~= ARGV[1] and stored(name)
  if other and other.from == ARGV[2] and other.endsAtMs > now then others = others + 1 end
end
if others >= tonumber(ARGV[3]) then return others end
local preview = {v = 1, name = ARGV[1], from = ARGV[2], image = ARGV[4], createdAtMs = now, putAtMs = now, endsAtMs = tonumber(ARGV[7])}
if ARGV[5] ~= '' then preview.title = ARGV[5] end
local before = stored(ARGV[1])
if before then
  if before.endsAtMs > now then preview.createdAtMs = before.createdAtMs end
  if before.image == ARGV[4] then preview.putAtMs = before.putAtMs end
  local former = {}
  for _, image in ipairs(type(before.former) == 'table' and before.former or {}) do
    if image ~= ARGV[4] then former[#former + 1] = image end
  end
  if before.image ~= ARGV[4] then former[#former + 1] = before.image end
  while #former > tonumber(ARGV[8]) do table.remove(former, 1) end
  if #former > 0 then preview.former = former end
end
local text = cjson.encode(preview)
redis.call('HSET', KEYS[1], ARGV[1], text)
return text
