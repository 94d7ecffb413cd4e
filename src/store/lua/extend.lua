-- Pushes the deadline out, as compare-and-set on the generation.
-- KEYS[1] instances  [2] assigned:<template>  [3] pool_control:<template>
-- KEYS[4] funnel:<day>  [5] event_outbox  [6] event_settings  [7] last_used
-- KEYS[8] waiting_leases:<template>
-- ARGV[1] id  [2] generation  [3] by (ms)  [4] longest stay (ms), counted from the claim
-- ARGV[5] '1': its visitor asks for it; else it is renewed because it is used  [6] '1': not while others wait
-- Returns {0, deadline, ms left, generation}  {-1} unknown  {-2} not assigned (or its time is up)
--         {-3} another generation  {-4, latest deadline} nothing left to extend by  {-5} others wait
local now = now_ms()
local record = load_record(KEYS[1], ARGV[1])
if not record then return {-1} end
if record.state ~= 'assigned' or record.deadlineMs <= now then return {-2} end
if record.generation ~= tonumber(ARGV[2]) then return {-3} end

if ARGV[6] == '1' and redis.call('ZCOUNT', KEYS[8], '(' .. now, '+inf') > 0 then return {-5} end

local latest = math.min(record.assignedAtMs + tonumber(ARGV[4]), record.endOfLifeMs)
-- Of a template that is drained nothing outlives the deadline.
latest = math.min(latest, stored_number(redis.call('HGET', KEYS[3], 'deadline_ms'), latest))
local deadline = math.min(record.deadlineMs + tonumber(ARGV[3]), latest)
if deadline <= record.deadlineMs then return {-4, latest} end
record.deadlineMs = deadline
-- A renewal is nobody's step, and no use of its own: it would renew itself for ever.
if ARGV[5] == '1' then
  write_event(KEYS[5], KEYS[6], record, 'extended', 1, {atMs = now, deadlineMs = deadline})
  count_step(KEYS[4], record.template, record.site or 'direct', 'extended')
  redis.call('ZADD', KEYS[7], 'XX', 'GT', now, record.id)
end
save_record(KEYS[1], record)
redis.call('ZADD', KEYS[2], deadline, record.id)
return {0, deadline, deadline - now, record.generation}
