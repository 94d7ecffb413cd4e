-- Gives a ticket back.
-- KEYS[1] warming:<template>
-- ARGV[1] id
-- Returns 1, or 0 when the ticket was gone already
return redis.call('ZREM', KEYS[1], ARGV[1])
