-- warming | ready | assigned | quarantined → releasing. The host name stops resolving in the same step.
-- KEYS[1] instances  [2] ready:<template>  [3] assigned:<template>  [4] leaving:<template>  [5] hostnames
-- KEYS[6] hostname_changes  [7] funnel:<day>  [8] event_outbox  [9] event_settings  [10] last_used
-- KEYS[11] ended_visit:<label>  string, the record of a visit that ended
-- KEYS[12…] harm:<who>           string, what is remembered of harm: of whoever this end is one more of; none where the
--                                reason is no harm
-- ARGV[1] id  [2] reason  [3] states it may leave, as ",ready,assigned,"  [4] generation or -1
-- ARGV[5] '1': only when its time is up
-- ARGV[6] attempt or ''  [7] how long its cleanup is waited for (ms)
-- ARGV[8] how long harm is remembered (ms)  [9] for how long nothing is handed out after the second time (ms, and up
--         to half as long again), 0: it is
-- Returns the record's new text, or 0 when nothing was changed
-- What its visitor does next still belongs to the visit.
local REMEMBERED_MS = 3600000
local now = now_ms()
local record = load_record(KEYS[1], ARGV[1])
if not record or record.state == 'releasing' then return 0 end
if not string.find(ARGV[3], ',' .. record.state .. ',', 1, true) then return 0 end
if ARGV[4] ~= '-1' and record.generation ~= tonumber(ARGV[4]) then return 0 end
-- The deadline is read again here, so an extend that came first wins and one that comes later is refused.
if ARGV[5] == '1' and (record.state ~= 'assigned' or record.deadlineMs > now) then return 0 end
if ARGV[6] ~= '' and record.attempt ~= ARGV[6] then return 0 end

local was_visit = record.state == 'assigned'
if was_visit then
  write_event(KEYS[8], KEYS[9], record, 'ended', 1, {
    atMs = now,
    reason = ARGV[2],
    usedMs = math.max(0, math.min(now, record.deadlineMs) - record.assignedAtMs),
  })
  count_step(KEYS[7], record.template, record.site or 'direct', 'ended:' .. ARGV[2])
end
record.state = 'releasing'
record.reason = ARGV[2]
record.leaseUntilMs = nil
record.landing = nil
redis.call('ZREM', KEYS[2], record.id)
redis.call('ZREM', KEYS[3], record.id)
redis.call('ZREM', KEYS[10], record.id)
redis.call('ZADD', KEYS[4], now + tonumber(ARGV[7]), record.id)
drop_hostname(KEYS[5], KEYS[6], record.label)
local text = save_record(KEYS[1], record)
if was_visit then redis.call('SET', KEYS[11], text, 'PX', REMEMBERED_MS) end
for at = 12, was_visit and #KEYS or 0 do
  local remembered, pause = tonumber(ARGV[8]), 0
  local ends = parse_harm(redis.call('GET', KEYS[at]), now) + 1
  if ends > 1 then
    -- By chance, as ids are: what ended together does not come back together, and weigh on the host once more.
    local spread = 1 + tonumber(string.sub(redis.sha1hex(record.id), 1, 8), 16) / 4294967296 / 2
    -- Twice as long each time.
    pause = math.min(tonumber(ARGV[9]) * 2 ^ math.min(ends - 2, 30) * spread, remembered)
  end
  redis.call('SET', KEYS[at], string.format('%.0f %.0f', ends, now + pause), 'PX', remembered)
end
return text
