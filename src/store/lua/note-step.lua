-- Notes a step that a visit takes once: while it lasts, and for some time after its end.
-- KEYS[1] instances  [2] ended_visit:<label>  [3] funnel:<day>  [4] event_outbox  [5] event_settings
-- KEYS[6] lead:<place>  string, what was told before the visit; not touched unless ARGV[3] says so
-- ARGV[1] id  [2] step  [3] what was told, as JSON; 'kept': it is in KEYS[6], and forgotten there; '': nothing
-- Returns {1, template, site} noted  {0} noted before, or there is nothing to tell  {-1} the visit is not known any more
--         {-2} what was told has nowhere to go: nobody wants to hear of it, or the outbox is full
local record, ended = load_record(KEYS[1], ARGV[1]), false
if not record or record.state ~= 'assigned' then
  local text = redis.call('GET', KEYS[2])
  record, ended = text and parse_record(text), true
end
if not record or record.id ~= ARGV[1] then return {-1} end

local told, kept = ARGV[3], ARGV[3] == 'kept'
if kept then told = redis.call('GET', KEYS[6]) end
if has_noted(record, ARGV[2]) or not told then
  if kept then redis.call('DEL', KEYS[6]) end
  return {0}
end
local about = {atMs = now_ms()}
if told ~= '' then
  local limit = stored_number(redis.call('HGET', KEYS[5], 'limit'), 0)
  if redis.call('XLEN', KEYS[4]) >= 2 * limit then return {-2} end
  about.lead = cjson.decode(told)
end
note_step(KEYS[3], KEYS[4], KEYS[5], record, ARGV[2], about)
-- The same generation: an extend that is under way has nothing to do with it.
if ended then redis.call('SET', KEYS[2], cjson.encode(record), 'KEEPTTL')
else redis.call('HSET', KEYS[1], record.id, cjson.encode(record)) end
if kept then redis.call('DEL', KEYS[6]) end
return {1, record.template, record.site or 'direct'}
