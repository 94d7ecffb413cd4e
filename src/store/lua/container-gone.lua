-- The container of a releasing instance is verified absent; only now may its database go and its port rest.
-- KEYS[1] instances
-- ARGV[1] id  [2] attempt
-- Returns 1, or 0 when it is not releasing, or another attempt's
local record = load_leaving(KEYS[1], ARGV[1], ARGV[2], 'releasing')
if not record then return 0 end
if record.step == 'container_gone' or record.step == 'database_dropped' or record.step == 'port_cooling' then
  return 1
end
record.step = 'container_gone'
save_record(KEYS[1], record)
return 1
