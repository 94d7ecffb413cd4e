-- Every session of operators, also those that have ended and are not dropped yet.
-- KEYS[1] operator_sessions  hash, id → session (JSON)
-- Returns {now, {id, text, …}}
return {now_ms(), redis.call('HGETALL', KEYS[1])}
