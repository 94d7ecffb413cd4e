-- The session of an operator, unless it has ended.
-- KEYS[1] operator_sessions  hash, id → session (JSON)
-- ARGV[1] id
-- Returns {now, its text or ''}
return {now_ms(), redis.call('HGET', KEYS[1], ARGV[1]) or ''}
