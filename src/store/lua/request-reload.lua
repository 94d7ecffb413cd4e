-- Asks all processes to read their templates again; each finds out when it says that it runs.
-- KEYS[1] template_reloads  how often that was asked
-- Returns how often it was asked so far
return redis.call('INCR', KEYS[1])
